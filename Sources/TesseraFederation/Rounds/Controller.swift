internal import Synchronization
public import TesseraCore

/// What a workflow has in its hands during one round: the sites, and the ways to ask them.
///
/// Each way sends the same task to one or several sites, by the federation's filters, quorum and limits, and journals what
/// comes of it. A workflow calls them one after the other, so that a round that is repeated asks the same.
public final class Controller: Sendable {
  /// The round, from 1.
  public let round: Int
  /// How many rounds there are at most.
  public let rounds: Int
  /// All sites, at their indices.
  public let sites: [Site]
  /// Which answers a task needs, unless a call says otherwise.
  public let quorum: Quorum
  let federation: Federation
  let observe: @Sendable (FederationEvent) -> Void
  let journal: @Sendable (JournalEvent) throws -> Void
  let background: AsyncStream<@Sendable () async -> Void>.Continuation
  let flights: Flights
  let record: Mutex<Record>
  /// The number of the last task before the round.
  let firstStep: Int

  struct Record {
    /// What came of a task for one site.
    struct Dispatched: Codable {
      var step: Int
      var site: Int
      var contribution: Contribution?
      var refusal: Refusal?
    }

    var step: Int
    /// How often each task was asked for in this round.
    var repetitions: [TaskName: Int] = [:]
    var contributions: [Contribution] = []
    var refusals: [Refusal] = []
    /// What came of tasks that were dispatched by themselves, by their numbers: they are done in any order.
    var dispatched: [Dispatched] = []
    var traffic = Traffic()
    /// What it took of the sites, by their names.
    var efforts: [String: SiteEffort] = [:]
    /// How many secret draws of sites this round has made.
    var draws = 0
    /// The numbers of those that were gathered from.
    var usedDraws: Set<Int> = []
    /// What the job has released, if that is counted.
    var ledger: BudgetLedger?
    /// The first steps of which no answers were used, by the indices of sites.
    var unused: [Int: Int] = [:]
    var journalFailure: (any Error)?
  }

  init(
    round: Int,
    rounds: Int,
    step: Int,
    ledger: BudgetLedger? = nil,
    unused: [Int: Int] = [:],
    federation: Federation,
    observe: @escaping @Sendable (FederationEvent) -> Void,
    journal: @escaping @Sendable (JournalEvent) throws -> Void,
    background: AsyncStream<@Sendable () async -> Void>.Continuation,
    flights: Flights
  ) {
    self.round = round
    self.rounds = rounds
    sites = federation.transport.sites
    quorum = federation.quorum
    self.federation = federation
    self.observe = observe
    self.journal = journal
    self.background = background
    self.flights = flights
    record = Mutex(Record(step: step, ledger: ledger, unused: unused))
    firstStep = step
  }

  /// Seeds what a workflow draws in this round.
  public var key: RandomKey { federation.key["workflow"][round] }

  /// Sends a task to sites and folds their answers as they arrive: scatter and gather.
  ///
  /// - Parameters:
  ///   - task: What is to be done.
  ///   - data: What to do it with.
  ///   - sites: Who is asked.
  ///   - rule: How the updates become one.
  ///   - reference: The model that updates are changes of; the tensors of `data` if `nil`.
  ///   - quorum: Which answers are needed; the federation's quorum if `nil`.
  /// - Returns: The aggregate, and who is in it.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/tooFewSites`` if there are too few usable answers; with code
  ///   ``FederationError/Code/budgetExhausted`` if the job has a privacy budget, and the aggregate would overspend it; with code
  ///   ``FederationError/Code/invalidConfiguration`` if the job has one, and the rule makes nothing private;
  ///   `CancellationError` if the run was stopped.
  public func gather(
    _ task: TaskName = .train,
    _ data: Exchange,
    from sites: [Site],
    by rule: any AggregationRule = WeightedMean(),
    reference: ModelState? = nil,
    quorum: Quorum? = nil
  ) async throws -> Aggregate {
    try await gather(
      task,
      data,
      from: known(sites),
      by: rule,
      reference: reference,
      quorum: quorum
    )
  }

  /// Sends a task to sites that were drawn, and folds their answers: a rule that makes the aggregate private takes into account
  /// how they were drawn.
  ///
  /// The parameters are those of ``gather(_:_:from:by:reference:quorum:)``. Of a secret draw, the quorum's minimum and mandatory
  /// sites count as far as they were drawn.
  ///
  /// - Throws: As ``gather(_:_:from:by:reference:quorum:)``; ``FederationError`` with code
  ///   ``FederationError/Code/invalidConfiguration`` if a secret draw was gathered from before, or is not this round's.
  public func gather(
    _ task: TaskName = .train,
    _ data: Exchange,
    from draw: SiteDraw,
    by rule: any AggregationRule,
    reference: ModelState? = nil,
    quorum: Quorum? = nil
  ) async throws -> Aggregate {
    let part = AggregatedPart(reference: reference ?? data.tensors, rule: rule)
    return try await gather(
      task,
      data,
      from: draw,
      parts: [Aggregate.modelPart: part],
      quorum: quorum
    )
  }

  /// Sites of which everybody may know that they take part.
  private func known(_ drawn: [Site]) -> SiteDraw {
    SiteDraw(
      drawn,
      rate: Double(drawn.count) / Double(max(sites.count, 1)),
      population: sites.count
    )
  }

  /// Sends a task to sites and folds each part of their answers for itself.
  ///
  /// - Parameters:
  ///   - task: What is to be done.
  ///   - data: What to do it with.
  ///   - sites: Who is asked.
  ///   - parts: The parts that each answer must have, by name.
  ///   - quorum: Which answers are needed; the federation's quorum if `nil`.
  /// - Returns: The aggregate of each part, and who is in it.
  /// - Throws: As ``gather(_:_:from:by:reference:quorum:)``.
  public func gather(
    _ task: TaskName = .train,
    _ data: Exchange,
    from sites: [Site],
    parts: [String: AggregatedPart],
    quorum: Quorum? = nil
  ) async throws -> Aggregate {
    try await gather(task, data, from: known(sites), parts: parts, quorum: quorum)
  }

  private func gather(
    _ task: TaskName,
    _ data: Exchange,
    from draw: SiteDraw,
    parts: [String: AggregatedPart],
    quorum: Quorum?
  ) async throws -> Aggregate {
    try use(draw, for: task)
    // Before anything is asked for: what would overspend does not begin.
    try charge(parts, of: draw, for: task)
    var fold = try AnswerFold(
      encrypted(parts),
      sites: draw.sites,
      secrets: federation.secrets.derived("aggregation \(nextStep)"),
      divisor: draw.divisor,
      spool: federation.transport.spool
    )
    var quorum = quorum ?? self.quorum
    if draw.method != .fixed {
      quorum.minimum = min(quorum.minimum, draw.sites.count)
      quorum.mandatory.formIntersection(draw.sites.map(\.name))
      if draw.sites.isEmpty {
        return Aggregate(parts: try fold.results(), contributions: [], refusals: [])
      }
    }
    var outcome = try await ask(
      task,
      data,
      draw.sites,
      quorum: quorum,
      into: fold,
      isProtected: true
    )
    return Aggregate(
      parts: try outcome.sink.results(),
      contributions: outcome.contributions,
      refusals: outcome.refusals
    )
  }

  /// The parts, with sums of ciphertexts where the sites encrypt.
  private func encrypted(_ parts: [String: AggregatedPart]) throws -> [String: AggregatedPart] {
    guard let context = federation.encryption else { return parts }
    return try parts.mapValues { part in
      if part.rule is EncryptedMean { return part }
      guard part.rule is WeightedMean else {
        throw FederationError(
          code: .invalidConfiguration,
          message: "of encrypted updates there are weighted means alone, not \(type(of: part.rule))"
        )
      }
      let examples = sites.reduce(0) {
        let (sum, overflow) = $0.addingReportingOverflow(max($1.exampleCount, 0))
        return overflow ? .max : sum
      }
      let rule = EncryptedMean(context: context, examples: examples)
      return AggregatedPart(reference: part.reference, rule: rule)
    }
  }

  /// Sends a task to sites and waits for their answers: broadcast and wait.
  ///
  /// All answers are in memory at once.
  ///
  /// - Returns: The usable answers, in the order of the sites.
  /// - Throws: As ``gather(_:_:from:by:reference:quorum:)``.
  public func collect(
    _ task: TaskName,
    _ data: Exchange,
    from sites: [Site],
    quorum: Quorum? = nil
  ) async throws -> [Answer] {
    let outcome = try await ask(
      task,
      data,
      sites,
      quorum: quorum ?? self.quorum,
      into: AnswerList()
    )
    return outcome.sink.answers.sorted { $0.site.index < $1.site.index }
  }

  /// Sends a task to one site and waits for its answer.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/tooFewSites`` if it gives no usable one.
  public func send(_ task: TaskName, _ data: Exchange, to site: Site) async throws -> Exchange {
    var quorum = quorum
    quorum.minimum = 1
    quorum.mandatory = []
    let answers = try await collect(task, data, from: [site], quorum: quorum)
    guard let answer = answers.first else {
      throw FederationError(code: .tooFewSites, message: "\(site.name) gave no usable answer")
    }
    return answer.exchange
  }

  /// Sends a task to sites without waiting for what they answer.
  ///
  /// The workflow goes on at once; what the sites answer is noted among the round's events, and used by no one. The run does
  /// not end before they have.
  public func broadcast(_ task: TaskName, _ data: Exchange, to sites: [Site]) throws {
    let sending = try prepare(task, data, for: sites)
    let transport = federation.transport
    let observe = observe
    background.yield {
      await transport.ask(sending.tasks) { event in
        guard case .answered(let site, let result) = event else { return }
        observe(.notified(site, error: result.failure.map { "\(site.name): \($0)" }))
      }
    }
  }

  /// The number that the next task will have.
  var nextStep: Int { record.withLock { $0.step + 1 } }

  /// Notes contributions that no single answer shows.
  func add(_ contributions: [Contribution], _ refusals: [Refusal]) {
    record.withLock {
      $0.contributions += contributions
      $0.refusals += refusals
    }
  }

  /// What the tasks of this round came to so far.
  func takeRecord() throws -> Record {
    try record.withLock {
      if let error = $0.journalFailure { throw error }
      var result = $0
      for entry in result.dispatched.sorted(by: { ($0.step, $0.site) < ($1.step, $1.site) }) {
        if let contribution = entry.contribution { result.contributions.append(contribution) }
        if let refusal = entry.refusal { result.refusals.append(refusal) }
      }
      return result
    }
  }
}

extension Result {
  fileprivate var failure: Failure? {
    if case .failure(let error) = self { error } else { nil }
  }
}
