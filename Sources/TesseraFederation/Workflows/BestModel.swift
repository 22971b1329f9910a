internal import TesseraConfiguration
internal import TesseraCore

/// A training that ends with the best of its global models, and early if none has been better for some rounds.
///
///     let workflow = try BestModel(of: FedAvg(rounds: 50), patience: 5)
///
/// After each round every site measures the new global model on its own data by ``TaskName/evaluate``; what counts is the mean of
/// a metric, sites by their examples. The best model so far is kept in the state's memory, so that it outlives a kill, and what
/// was measured in the document ``document``. With the last round, the best model is the global one.
///
/// Sites should measure on examples that they do not train on. What they say of a metric is taken at its word.
public struct BestModel: Workflow {
  /// Which values of a metric are better.
  public enum Goal: String, Sendable, Hashable, Codable, CaseIterable {
    /// The higher ones, as of an accuracy.
    case highest
    /// The lower ones, as of a loss.
    case lowest
  }

  /// What sites have measured of a training's models.
  public struct Result: Sendable, Hashable, Codable {
    /// The metric.
    public var metric: String
    /// Its mean after each round; `nil` where what the sites measured is no finite number.
    public var values: [Double?] = []
    /// The position of the best one in ``values``, from 0; `nil` if there is none.
    public var best: Int?
    /// Whether the training is over.
    public var isFinished = false
  }

  /// The training.
  public private(set) var workflow: any Workflow
  /// What the models are compared by.
  public let metric: String
  /// Which values of it are better.
  public let goal: Goal
  /// After how many rounds without a better model the training ends; never if `nil`.
  public let patience: Int?
  /// Where the results, one for each training of the run, are among ``WorkflowState/documents``.
  public static let document = "best model"
  /// Where the best model lies in the state's memory as long as the training goes on.
  public static let memoryName = "best model"

  /// The training's.
  public var rounds: Int { workflow.rounds }
  /// The training's.
  public var participation: Double { workflow.participation }

  /// The training's, and measuring.
  public var tasks: Set<TaskName> { workflow.tasks.union([.evaluate]) }
  /// The training's: sites can read what they measure.
  public var reasonAgainstEncryption: String? { workflow.reasonAgainstEncryption }

  /// Of what the training is there.
  public var inDeployment: any Workflow {
    var deployed = self
    deployed.workflow = workflow.inDeployment
    return deployed
  }

  /// A training that ends with its best model.
  ///
  /// - Parameters:
  ///   - workflow: The training.
  ///   - metric: What the models are compared by: a measurement of ``TaskName/evaluate``.
  ///   - goal: Which values of it are better.
  ///   - patience: After how many rounds without a better model the training ends; never if `nil`.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public init(
    of workflow: any Workflow,
    by metric: String = "accuracy",
    goal: Goal = .highest,
    patience: Int? = nil
  ) throws {
    guard workflow.trains, !(workflow is WorkflowChain), !(workflow is BestModel) else {
      throw FederationError(
        code: .invalidConfiguration,
        message: "a best model is that of one training, and '\(type(of: workflow))' is none"
      )
    }
    guard patience ?? 1 >= 1 else {
      throw FederationError(
        code: .invalidConfiguration,
        message: "the patience must be at least 1 round, not \(patience ?? 0)"
      )
    }
    self.workflow = workflow
    self.metric = metric
    self.goal = goal
    self.patience = patience
  }

  /// Carries out the training's next round, and has its model measured.
  ///
  /// - Throws: What the training's round throws; ``FederationError`` with code ``FederationError/Code/tooFewSites`` if no site has
  ///   measured the model.
  public func run(_ state: inout WorkflowState, with controller: Controller) async throws {
    var (earlier, result) = try results(of: state)
    try await workflow.run(&state, with: controller)
    let value = try await controller.mean(of: metric, for: state.global)
    if let value, isBetter(value, than: result.best.flatMap { result.values[$0] }) {
      result.best = result.values.count
      state.memory[Self.memoryName] = state.model
    }
    result.values.append(value)
    let waited = result.values.count - (result.best.map { $0 + 1 } ?? 0)
    let isStopped = waited >= patience ?? .max
    if isStopped {
      controller.abandonTasks()
      workflow.endEarly(&state)
    }
    if state.isFinished || result.values.count >= workflow.rounds {
      if let best = state.memory.removeValue(forKey: Self.memoryName) { state.model = best }
      result.isFinished = true
    }
    try state.setDocument(Self.document, to: earlier + [result])
  }

  /// Ends the training with the model that it has.
  public func endEarly(_ state: inout WorkflowState) {
    workflow.endEarly(&state)
    state.memory[Self.memoryName] = nil
    guard var (earlier, result) = try? results(of: state), !result.values.isEmpty else { return }
    result.isFinished = true
    earlier.append(result)
    // A result that was written once can be written again.
    try? state.setDocument(Self.document, to: earlier)
  }

  /// What was measured of the trainings before this one, and of this one so far.
  private func results(of state: WorkflowState) throws -> (earlier: [Result], own: Result) {
    var results = try state.document(Self.document, as: [Result].self) ?? []
    guard let last = results.last, !last.isFinished else {
      return (results, Result(metric: metric))
    }
    results.removeLast()
    guard last.metric == metric, last.best.map(last.values.indices.contains) ?? true else {
      throw FederationError(
        code: .cannotResume,
        message: "the document '\(Self.document)' is of another metric, or damaged"
      )
    }
    return (results, last)
  }

  private func isBetter(_ value: Double, than best: Double?) -> Bool {
    guard let best else { return true }
    return goal == .highest ? value > best : value < best
  }
}

extension Controller {
  /// The mean of a metric of a model over all sites that measure it, by their examples; `nil` if it is no finite number.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/tooFewSites`` if none does.
  fileprivate func mean(of metric: String, for model: Exchange) async throws -> Double? {
    let poll = try await poll(.evaluate, model, from: sites)
    let measured = poll.answers.compactMap { answer in
      CrossSiteMatrix.Cell(answer).flatMap { cell in
        cell.metrics[metric].map { (value: $0, weight: Double(cell.samples)) }
      }
    }
    let total = measured.reduce(0) { $0 + $1.weight }
    guard total > 0 else {
      // A model that computes no numbers any more was measured, and is not the best one.
      if poll.answers.contains(where: { $0.exchange.metrics[metric]?.isFinite == false }) {
        return nil
      }
      let first = poll.refusals.first.map { "; the first reason: \($0.reason)" } ?? ""
      throw FederationError(
        code: .tooFewSites,
        message: """
          round \(round): no site has measured \(shown(metric)), by which the best model is chosen: \
          \(poll.answers.count) answered without it, \(poll.refusals.count) not at all\(first)
          """
      )
    }
    let mean = measured.reduce(0) { $0 + $1.value * ($1.weight / total) }
    return mean.isFinite ? mean : nil
  }
}
