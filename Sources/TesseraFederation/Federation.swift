public import Crypto
public import TesseraCore

/// A federated run: a workflow over sites.
///
///     let federation = Federation(
///       workflow: try FedAvg(rounds: 10), transport: transport, key: RandomKey(seed: 1))
///     let state = try await federation.run(from: WorkflowState(model: initial))
public struct Federation: Sendable {
  /// The order of things.
  public var workflow: any Workflow
  /// The sites, and the way to them.
  public var transport: any Transport
  /// Seeds everything that the workflow, the sites and the filters draw.
  public var key: RandomKey
  /// Which answers tasks need, unless the workflow says otherwise.
  public var quorum = Quorum()
  /// The server's filters.
  public var filters = ServerFilters()
  /// What exchanges may hold.
  public var limits = ExchangeLimits()
  /// Are called around each task.
  public var callbacks = TaskCallbacks()
  /// The public side of the sites' key, if their updates are encrypted (``EncryptModel``): weighted means are then of what the
  /// server cannot read.
  public var encryption: CKKSContext?
  /// The keys that sites sign with, by their indices: secure aggregation is signed then, and sites whose signatures are wrong
  /// drop out.
  ///
  /// Sites know each other's keys by themselves (``SiteIdentity``).
  public var identities: [Int: Curve25519.Signing.PublicKey]?
  /// Where the server's secrets come from: noise that protects, which sites are drawn, masks.
  ///
  /// ``key`` is no secret: sites can compute it from what they are sent.
  public var secrets = SecretSource.system
  /// How much privacy the job may spend by what the server, or all sites together, make private; not counted if `nil`.
  ///
  /// With a budget nothing is aggregated or passed on that nothing makes private. The ledger is the state's document
  /// ``WorkflowState/privacyLedgerName``.
  public var budget: PrivacyBudget?
  /// The training ends when the global model's accuracy is this good: the run, or the workflow of a chain that is under way.
  public var targetAccuracy: Double?
  /// The run pauses after this round, as if it had been interrupted there.
  public var lastRound: Int?
  /// Measures a new global model, if given.
  public var evaluate: (@Sendable (Exchange) async throws -> Evaluation)?
  /// Where rounds of many tasks keep how far they have come; nowhere if `nil`.
  public var progress: RoundProgressStore?
  /// Is told what the server's filters and the job's budget decide, before anything follows from it, from any thread; throwing
  /// ends the round.
  public var decided: @Sendable (ServerDecision) throws -> Void = { _ in }
  /// Measures time; the system's if `nil`.
  public var clock: (any FederationClock)?

  /// A federation with the usual settings.
  public init(workflow: any Workflow, transport: any Transport, key: RandomKey) {
    self.workflow = workflow
    self.transport = transport
    self.key = key
  }

  /// Runs until the workflow is done.
  ///
  /// - Parameters:
  ///   - state: Where to begin, or to go on. Who passes it on without keeping it spares one model of memory.
  ///   - finishRound: Is called after each round, before the next one starts: the place to save its state.
  ///   - journal: Is told each event before anything follows from it, from any thread; throwing ends the run.
  ///   - observe: Is told what happens, from any thread.
  /// - Returns: The last state, and why the run is over.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/tooFewSites`` if a round cannot be completed, with code
  ///   ``FederationError/Code/invalidConfiguration`` if sites are called what they may not be (``Site/checkName(_:)``);
  ///   `CancellationError` if the task was cancelled, when the round under way leaves no trace.
  public func run(
    from state: consuming WorkflowState,
    finishRound: (RoundResult) async throws -> Void = { _ in },
    journal: @escaping @Sendable (JournalEvent) throws -> Void = { _ in },
    observe: @escaping @Sendable (FederationEvent) -> Void = { _ in }
  ) async throws -> (state: WorkflowState, reason: FinishReason) {
    guard !transport.sites.isEmpty else {
      throw FederationError(code: .invalidConfiguration, message: "there are no sites")
    }
    try Site.check(transport.sites)
    try checkEncryption()
    // Changed in place: the initial model does not stay to the end beside the others.
    var state = state
    let (operations, background) = AsyncStream<@Sendable () async -> Void>.makeStream()
    let flights = Flights()
    return try await withThrowingTaskGroup(of: Void.self) { group in
      // What workflows do not wait for.
      group.addTask {
        await withDiscardingTaskGroup { notices in
          for await operation in operations { notices.addTask { await operation() } }
        }
      }
      // What workflows wait for in a later round; it ends with the last one.
      group.addTask { await flights.run() }
      do {
        let reason = try await rounds(&state, finishRound, journal, observe, background, flights)
        background.finish()
        flights.finish()
        try await group.waitForAll()
        return (state, reason)
      } catch {
        background.finish()
        flights.finish()
        group.cancelAll()
        throw error
      }
    }
  }

  /// Refuses what would send models in the clear, or could not read them, before any site computes.
  private func checkEncryption() throws {
    guard encryption != nil else { return }
    if let reason = workflow.reasonAgainstEncryption { throw encryptionRefused(reason) }
    guard filters.tasks.isEmpty, filters.results.isEmpty else {
      throw encryptionRefused("the server's filters cannot read the models")
    }
  }

  private func encryptionRefused(_ reason: String) -> FederationError {
    FederationError(
      code: .invalidConfiguration,
      message: "the sites encrypt their models: \(reason)"
    )
  }

  private func rounds(
    _ state: inout WorkflowState,
    _ finishRound: (RoundResult) async throws -> Void,
    _ journal: @escaping @Sendable (JournalEvent) throws -> Void,
    _ observe: @escaping @Sendable (FederationEvent) -> Void,
    _ background: AsyncStream<@Sendable () async -> Void>.Continuation,
    _ flights: Flights
  ) async throws -> FinishReason {
    while state.round < workflow.rounds, !state.isFinished {
      if let lastRound, state.round >= lastRound { return .paused }
      let round = state.round + 1
      let start = ContinuousClock.now
      try journal(.roundStarted(round))
      observe(.roundStarted(round: round, of: workflow.rounds))
      let controller = Controller(
        round: round,
        rounds: workflow.rounds,
        step: state.step,
        ledger: try budget.map { try state.privacyLedger(for: $0) },
        unused: state.unusedAnswers,
        federation: self,
        observe: observe,
        journal: journal,
        background: background,
        flights: flights
      )
      var next = state
      try await workflow.run(&next, with: controller)
      try Task.checkCancellation()
      let record = try controller.takeRecord()
      next.round = round
      next.step = record.step
      // When all is done, nobody is told of them.
      next.unusedAnswers = next.isFinished ? [:] : record.unused
      if let ledger = record.ledger {
        try next.setDocument(WorkflowState.privacyLedgerName, to: ledger)
      }
      let evaluation = try await evaluate?(next.global)
      try Task.checkCancellation()
      let isReached = (evaluation?.accuracy ?? -.infinity) >= targetAccuracy ?? .infinity
      let isEnded = isReached && !next.isFinished
      if isReached {
        flights.abandon()
        workflow.endEarly(&next)
      }
      try await finishRound(
        RoundResult(
          round: round,
          state: next,
          evaluation: evaluation,
          contributions: record.contributions,
          refusals: record.refusals,
          traffic: record.traffic,
          duration: ContinuousClock.now - start,
          efforts: record.efforts
        )
      )
      state = next
      if isEnded, state.isFinished { return .targetReached }
    }
    return state.isFinished ? .workflowDone : .allRounds
  }
}

/// Measures the time that sites are waited for: the system's clock, or a test's.
public protocol FederationClock: Sendable {
  /// The time since any fixed moment.
  func now() -> Duration
  /// Returns at a time.
  ///
  /// - Throws: `CancellationError` if the task is cancelled before.
  func sleep(until time: Duration) async throws
}
