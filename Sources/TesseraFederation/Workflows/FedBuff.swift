internal import TesseraCore

/// Buffered asynchronous aggregation: sites train each at its own pace, and whenever so many updates are in, the global model
/// takes a step (Nguyen et al., "Federated Learning with Buffered Asynchronous Aggregation", 2022, algorithm 1).
///
/// With a buffer of *K* updates Δᵢ, each the change of the model that its site began from, *τᵢ* steps ago,
/// `w ← w + η/K · Σ Δᵢ/√(1 + τᵢ)`. Updates are folded as they arrive; one round is one buffer. As many sites as ``concurrency``
/// says are at work at any time, also from one round to the next: a site that is done makes room for another, drawn from those
/// that are idle, which begins from the newest model.
///
/// In a simulation (``Arrival-swift.enum/virtual(_:)``) the order of arrival follows from the key: each task's duration is drawn when it
/// is sent, answers arrive by virtual time, and the work itself is done in the round in which it arrives, on all lanes. So
/// each task is carried out once, and a run has the same bits on any number of lanes and after a kill.
/// In a deployment (``Arrival-swift.enum/real``) answers are taken as they come. Tasks that are under way when the coordinator's process
/// ends are sent again by the one that goes on, under the same numbers, with the models that they came with.
///
/// The state keeps the tasks under way in the document `fedbuff`, and each older model that one of them began from in the
/// memory `fedbuff-N`: at most ``concurrency`` models, as a rule about ``concurrency`` / *K*.
public struct FedBuff: Workflow {
  /// What decides the order of answers.
  public enum Arrival: Sendable {
    /// Durations drawn from the run's key.
    case virtual(VirtualTime)
    /// When the transport hands them over.
    case real
  }

  /// How many buffers there are at most.
  public let rounds: Int
  /// How many updates make a step: *K*.
  public let bufferSize: Int
  /// How many sites are at work at a time.
  public let concurrency: Int
  /// The server's step size: *η*.
  public let learningRate: Double
  /// How many steps old the model may be that an update began from; older ones are refused.
  public let maximumStaleness: Int?
  /// What decides the order of answers.
  public private(set) var arrival: Arrival

  /// With answers that are taken as they come.
  public var inDeployment: any Workflow {
    var deployed = self
    deployed.arrival = .real
    return deployed
  }

  /// Buffered asynchronous aggregation.
  ///
  /// - Parameters:
  ///   - rounds: How many buffers there are at most.
  ///   - bufferSize: How many updates make a step: *K*.
  ///   - concurrency: How many sites are at work at a time.
  ///   - learningRate: The server's step size: *η*.
  ///   - maximumStaleness: How many steps old the model may be that an update began from; `nil`: any number.
  ///   - arrival: What decides the order of answers.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public init(
    rounds: Int,
    bufferSize: Int = 10,
    concurrency: Int,
    learningRate: Double = 1,
    maximumStaleness: Int? = nil,
    arrival: Arrival = .virtual(VirtualTime())
  ) throws {
    try checkRounds(rounds)
    func invalid(_ message: String) -> FederationError {
      FederationError(code: .invalidConfiguration, message: message)
    }
    guard bufferSize >= 1 else {
      throw invalid("a buffer must have room for 1 update, not \(bufferSize)")
    }
    guard concurrency >= 1 else {
      throw invalid("at least 1 site must be at work, not \(concurrency)")
    }
    guard learningRate > 0, learningRate.isFinite else {
      throw invalid("the server's learning rate must be above 0, not \(learningRate)")
    }
    guard maximumStaleness ?? 0 >= 0 else {
      throw invalid("the maximum staleness must be at least 0, not \(maximumStaleness ?? 0)")
    }
    self.rounds = rounds
    self.bufferSize = bufferSize
    self.concurrency = concurrency
    self.learningRate = learningRate
    self.maximumStaleness = maximumStaleness
    self.arrival = arrival
  }

  /// The server scales each update by its staleness.
  public var reasonAgainstEncryption: String? {
    "FedBuff's server scales each update by its staleness, which it cannot if it is encrypted"
  }

  /// Forgets the tasks that are under way.
  public func endEarly(_ state: inout WorkflowState) {
    FlightLine.clear(&state)
    state.isFinished = true
  }

  /// Fills one buffer, and takes a step.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/tooFewSites`` if many more tasks fail than updates are needed.
  public func run(_ state: inout WorkflowState, with controller: Controller) async throws {
    guard concurrency <= controller.sites.count else {
      throw FederationError(
        code: .invalidConfiguration,
        message:
          "\(concurrency) sites cannot be at work at a time: there are \(controller.sites.count)"
      )
    }
    var line = try FlightLine(state, workflow: self, controller: controller)
    var buffer = try UpdateBuffer(for: state.model, size: bufferSize)
    let patience = 4 * max(bufferSize, concurrency) + bufferSize
    var failures = 0
    while buffer.count < bufferSize {
      try line.send(upTo: bufferSize - buffer.count)
      guard let task = try await controller.nextAnswer(), let flight = line.land(task.number) else {
        continue
      }
      do {
        guard let answer = task.exchange else { throw FederationError.rejected(task.site, "") }
        try line.checkStaleness(of: flight, at: task.site)
        let weight = 1 / (1 + Double(line.staleness(of: flight))).squareRoot()
        try buffer.fold(answer, from: task.site, sent: line.model(of: flight), weight: weight)
        try controller.accept(task, weight: weight)
      } catch let error as FederationError where error.code == .rejectedUpdate {
        failures += 1
        if task.exchange != nil { try controller.refuse(task, because: error.message) }
        guard failures < patience else {
          throw FederationError(
            code: .tooFewSites,
            message: """
              round \(controller.round): \(failures) tasks came to nothing before the buffer of \
              \(bufferSize) was full; the last: \(error.message)
              """
          )
        }
      }
    }
    state.model = try buffer.step(from: state.model, learningRate: learningRate)
    if line.version + 1 < rounds {
      try line.save(to: &state)
    } else {
      line.clear(&state)
      controller.abandonTasks()
    }
  }
}
