internal import Foundation
internal import Synchronization
internal import TesseraCore

extension Controller {
  /// Sends a task to sites and learns only the weighted mean of their answers, nothing of any single one.
  ///
  /// Sites agree on masks that cancel in the sum (Bonawitz et al., 2017; Bell et al., 2020): ``SecureAggregationServer`` says in
  /// which phases. Sites may drop out in any of them. Each call is a session of its own, with new keys, also when a round is
  /// repeated after a kill. Where the federation has ``Federation/identities``, sites vouch for their keys. What is recorded of each contributor is an equal share of the weight:
  /// its own is not known.
  ///
  /// - Parameters:
  ///   - task: What is to be done.
  ///   - data: What to do it with: weights.
  ///   - sites: Who is asked.
  ///   - settings: Bounds and assumptions.
  ///   - quorum: How many must be in the sum, and who; the federation's quorum if `nil`. Each phase waits for all, so its
  ///     ``Quorum/waitAfterMinimum`` has no part in it.
  /// - Returns: The aggregate, and who is in it.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/tooFewSites`` if too many dropped out;
  ///   ``FederationError/Code/invalidConfiguration`` if the settings do not fit the sites, or the federation has encryption or
  ///   filters for answers, which masks leave nothing to read.
  public func gather(
    _ task: TaskName = .train,
    _ data: Exchange,
    from sites: [Site],
    securelyBy settings: SecureAggregation,
    quorum: Quorum? = nil
  ) async throws -> Aggregate {
    try requireSecureGathering()
    try charge(settings, of: data.tensors, from: sites, quorum: quorum ?? self.quorum, for: task)
    let quorum = quorum ?? self.quorum
    try quorum.validate(for: sites)
    let (configuration, terms) = try settings.agreed(
      session: Self.newSession(),
      round: round,
      model: data.tensors,
      sites: sites,
      quorum: quorum,
      isSigned: federation.identities != nil
    )
    let taskKey = taskKey(for: task)
    var graphKey = key["secure aggregation"][nextStep]
    switch federation.secrets {
    case .system: graphKey = RandomKey(seed: .random(in: .min ... .max))
    case .held(let secret):
      var numbers = SecretSource.held(secret).numbers("graph \(nextStep)")
      graphKey = RandomKey(seed: numbers.next())
    case .reproducible: break
    }
    var sink = SecureSink(
      server: SecureAggregationServer(
        configuration: configuration,
        graphKey: graphKey,
        identities: federation.identities
      )
    )
    var actions = sink.server.handle(.started)
    let byIndex = Dictionary(sites.map { ($0.index, $0) }) { first, _ in first }
    // A phase waits for all: whoever is silent for too long has dropped out.
    let phaseQuorum = Quorum(minimum: 0, patience: quorum.patience)
    var sum: SecureSum?
    // Of all phases, the one in which sites work, and may remember something of it; whether it is used, the sum says.
    var masked: (step: Int, sites: [Site])?
    var used: [Int] = []
    defer {
      // Of a sum that came to nothing, too: a workflow may go on without it.
      if let masked { note(masked.step, of: masked.sites, usedFrom: used) }
    }
    while sum == nil {
      var requests: [Int: SecureAggregationRequest] = [:]
      for action in actions {
        switch action {
        case .ask(let site, let request):
          if case .unmask(let unmasking) = request {
            // Before anybody can know the sum: one that is not used would be a release for nothing.
            let summed = unmasking.survivors.compactMap { byIndex[$0] }
            try require(quorum.mandatory, amongst: summed, task)
          }
          requests[site] = request
        case .reject: break  // noted among the drop-outs
        case .finish(let result): sum = result
        case .abandon(let reason):
          throw FederationError(
            code: .tooFewSites,
            message: "round \(round), task '\(task)', secure aggregation: \(reason)"
          )
        }
      }
      if sum != nil { break }
      let asked = requests.keys.sorted().compactMap { byIndex[$0] }
      guard !asked.isEmpty else {
        throw FederationError(code: .tooFewSites, message: "secure aggregation: no site is left")
      }
      let phase = sink.server.phase
      if phase == .maskVector { masked = (nextStep, asked) }
      let outcome = try await ask(
        .secureAggregation,
        // Only with the request for a vector goes what it is to be made of.
        phase == .maskVector ? data : Exchange(.custom(TaskName.secureAggregation.description)),
        asked,
        quorum: phaseQuorum,
        into: sink,
        as: task,
        key: taskKey,
        wrap: { sent, site in
          guard let request = requests[site.index] else { return sent }
          return try Exchange(
            request,
            in: configuration.session,
            terms: terms,
            task: task,
            data: sent
          )
        },
        isRecorded: false,
        isProtected: true
      )
      sink = outcome.sink
      actions = sink.actions
      sink.actions = []
      for refusal in outcome.refusals {
        actions += sink.server.handle(.failed(site: refusal.index, reason: refusal.reason))
      }
      // Unless the last answer has begun the next phase already.
      if sink.server.phase == phase { actions += sink.server.handle(.deadlinePassed) }
    }
    guard let sum else { throw FederationError(code: .tooFewSites, message: "there is no sum") }
    let result = try aggregate(sum, terms, data, byIndex)
    used = sum.contributors
    return result
  }

  /// Notes whose answers to a task are used.
  private func note(_ step: Int, of asked: [Site], usedFrom contributors: [Int]) {
    let busy = flights.busy
    let used = Set(contributors)
    record.withLock { record in
      for site in asked where !busy.contains(site.index) {
        record.note(step, of: site, isUsed: used.contains(site.index))
      }
    }
  }

  /// Refuses a sum that a mandatory site is not in.
  private func require(
    _ mandatory: Set<String>,
    amongst summed: [Site],
    _ task: TaskName
  ) throws {
    guard let missing = mandatory.subtracting(summed.map(\.name)).sorted().first else { return }
    throw FederationError(
      code: .tooFewSites,
      message: "round \(round), task '\(task)': the mandatory site '\(missing)' is not in the sum"
    )
  }

  /// Refuses what a masked answer would silently pass by.
  private func requireSecureGathering() throws {
    func invalid(_ reason: String) -> FederationError {
      FederationError(code: .invalidConfiguration, message: "secure aggregation: \(reason)")
    }
    guard federation.encryption == nil else {
      throw invalid("sites that encrypt their models cannot mask them too; choose one of the two")
    }
    guard federation.filters.results.isEmpty else {
      throw invalid("the server's filters for results cannot read masked answers")
    }
  }

  /// 128 bits from the system, which no result depends on, so that no two sums have the same name, also after a kill.
  private static func newSession() -> String {
    (0..<2).map { _ in
      let digits = String(UInt64.random(in: 0 ... .max), radix: 16)
      return String(repeating: "0", count: 16 - digits.count) + digits
    }.joined()
  }

  private func aggregate(
    _ sum: SecureSum,
    _ terms: SecureTerms,
    _ data: Exchange,
    _ sites: [Int: Site]
  ) throws -> Aggregate {
    let count = Double(sum.contributors.count)
    var exchange: Exchange
    let total: Double
    if terms.noise == nil {
      let mean = try terms.encoding.decodeMean(sum.elements, like: data.tensors)
      exchange = .weights(mean.mean)
      total = mean.totalWeight
    } else {
      let mean = try terms.encoding.decode(sum.elements, dividingBy: count, like: data.tensors)
      exchange = data
      exchange.kind = .weights
      exchange.tensors = try data.tensors.mapTensors { name, tensor in
        guard tensor.dtype.isFloatingPoint, let change = mean[name] else { return tensor }
        return try (tensor + change).to(tensor.dtype)
      }
      total = count
    }
    exchange.metadata = .init(weight: total)
    let contributions = sum.contributors.compactMap { sites[$0] }.map {
      Contribution(site: $0, weight: total / count, metrics: [:])
    }
    let contributors = Set(sum.contributors)
    let refusals = sum.dropouts.filter { !contributors.contains($0.site) }.compactMap { dropout in
      sites[dropout.site].map {
        Refusal(
          site: $0,
          reason: "\($0.name): dropped out in phase '\(dropout.phase.rawValue)': \(dropout.reason)"
        )
      }
    }.sorted { $0.index < $1.index }
    add(contributions, refusals)
    return Aggregate(
      parts: [Aggregate.modelPart: exchange],
      contributions: contributions,
      refusals: refusals
    )
  }
}

/// Hands answers to the protocol as they arrive, so that no more than one vector is in memory.
private struct SecureSink: AnswerSink {
  var server: SecureAggregationServer
  var actions: [SecureAggregationServer.Action] = []

  mutating func take(_ answer: Exchange, from site: Site) throws -> Double {
    let message = try answer.secureAnswer()
    for action in server.handle(.answered(site: site.index, message)) {
      actions.append(action)
      if case .reject(let rejected, let reason) = action, rejected == site.index {
        throw FederationError.rejected(site, reason)
      }
    }
    return 1
  }
}
