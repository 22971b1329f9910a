public import SystemPackage
internal import TesseraCore
internal import TesseraData

/// A site's whole side: filters what comes in, executes it, filters what goes out, and keeps the site's memory.
///
/// Transports hand each task to it, in the process where the site's data are.
public struct SiteWorker: Sendable {
  private let executor: any Executor
  private let filters: SiteFilters
  private let memories: any SiteMemoryStore
  private let limits: ExchangeLimits
  private let trainsForSumsAlone: Bool
  private let secure: SecureSite
  /// Encrypts after all filters.
  private let encryption: EncryptModel?
  /// Whose promise it is that no tensor leaves the site in the clear.
  private let promise: EncryptModel?
  private let secrets: SecretSource
  private let allowance: SiteAllowance?
  private let logs: FilePath?
  private let failed: @Sendable (SiteTask, any Error) -> Void
  private let decided: @Sendable (SiteTask, SiteDecision) throws -> Void

  /// The worker of one site, or of several in one process.
  ///
  /// - Parameters:
  ///   - executor: Does the work.
  ///   - filters: Change what comes in and what goes out.
  ///   - memories: Where sites keep what they must remember.
  ///   - limits: What a task may hold.
  ///   - encryption: Encrypts models last of all, after all filters, and decrypts those of tasks before them. Then no tensor
  ///     leaves the site in the clear: an answer that holds one is an error.
  ///   - secrets: Where the sites' secrets come from: masks, and noise.
  ///   - policy: What the site demands of secure aggregation before it takes part.
  ///   - trainsForSumsAlone: Whether `train` is refused outside of secure aggregation.
  ///   - identities: Who the sites are, by their indices, for signed secure aggregation; a site that has an identity takes part in
  ///     no other.
  ///   - budget: How much privacy each site may spend, with all that its ledger holds. What an answer costs is entered before
  ///     it leaves; an answer that would overspend, or that nothing makes private, does not leave. Measurements that nothing
  ///     covers are taken out of answers, and so are headers, and the reasons of refusals; numbers of examples and steps are
  ///     sent, and not counted. In secure aggregation with noise an answer that nothing else makes private is charged what the
  ///     sum costs by the noise of the fewest honest sites, reckoned by the site's own `policy`.
  ///   - ledgers: Where sites note what they have released: the sites' own, for all their jobs.
  ///   - job: The name under which this job's releases stand in the ledgers.
  ///   - logs: Where programs that the executor starts leave what they say: a folder, which need not be there. Nobody else is
  ///     shown it.
  ///   - failed: Is told what kept the site from answering, as it was thrown, for the site's own log: others are told no more
  ///     than errors of Tessera's own say, which never hold data.
  ///   - decided: Is told what filters and the budget decide about a task, before its answer leaves; throwing keeps it here.
  public init(
    executor: any Executor,
    filters: SiteFilters = SiteFilters(),
    memories: any SiteMemoryStore = VolatileSiteMemories(),
    limits: ExchangeLimits = ExchangeLimits(),
    encryption: EncryptModel? = nil,
    secrets: SecretSource = .system,
    policy: SecureAggregationPolicy = SecureAggregationPolicy(),
    trainsForSumsAlone: Bool = false,
    identities: [Int: SiteIdentity] = [:],
    budget: PrivacyBudget? = nil,
    ledgers: any PrivacyLedgerStore = VolatilePrivacyLedgers(),
    job: String = "job",
    logs: FilePath? = nil,
    failed: @escaping @Sendable (SiteTask, any Error) -> Void = { _, _ in },
    decided: @escaping @Sendable (SiteTask, SiteDecision) throws -> Void = { _, _ in }
  ) {
    self.trainsForSumsAlone = trainsForSumsAlone
    self.logs = logs
    self.failed = failed
    self.decided = decided
    self.executor = executor
    self.filters = filters
    self.encryption = encryption
    // Who gives it among the filters promises the same.
    promise = encryption ?? filters.results.lazy.compactMap { $0.unscoped as? EncryptModel }.first
    self.memories = memories
    self.limits = limits
    self.secrets = secrets
    allowance = budget.map { SiteAllowance(budget: $0, ledgers: ledgers, job: job) }
    secure = SecureSite(secrets: secrets, policy: policy, identities: identities)
  }

  /// Carries out a task.
  ///
  /// - Parameters:
  ///   - task: The task as it arrived.
  ///   - progress: Is called when the executor says that it is alive, from any thread.
  ///   - measured: Is called with what the executor measures on the way, as far as it may leave the site, from any thread.
  /// - Returns: The answer as it leaves the site; one that is not ``ReturnCode/ok`` without content.
  /// - Throws: What a filter or the executor throws, of an error that is not Tessera's own its type alone; the memory is then
  ///   as before.
  public func answer(
    _ task: SiteTask,
    progress: @escaping @Sendable () -> Void = {},
    measured: @escaping @Sendable (TaskMeasurements) -> Void = { _ in }
  ) async throws -> Exchange {
    do {
      return try await checkedAnswer(task, progress, measured)
    } catch {
      failed(task, error)
      throw error.showable(at: task.site)
    }
  }

  /// Lets go of what the executor keeps from task to task: the job is over.
  public func close() async { await executor.close() }

  private func checkedAnswer(
    _ task: SiteTask,
    _ progress: @escaping @Sendable () -> Void,
    _ measured: @escaping @Sendable (TaskMeasurements) -> Void
  ) async throws -> Exchange {
    try Task.checkCancellation()
    try limits.check(task.data)
    guard task.name != .secureAggregation else {
      guard promise == nil else {
        throw FederationError.rejected(
          task.site,
          "it encrypts its models, and masks none: encryption and secure aggregation exclude each other"
        )
      }
      return try await secure.answer(task) { try await carryOut($0, progress, summedUnder: $1) }
    }
    // The job says so, which its submitter has signed, and no server can ask for it in another way.
    guard task.name != .train || !trainsForSumsAlone else {
      throw FederationError.rejected(
        task.site,
        "the job has updates summed securely, and the server asks for one by itself"
      )
    }
    return try await carryOut(task, progress, leaving(measured))
  }

  /// Lets out of measurements what the site's filters would let out with an answer; nothing where it promises to hide numbers.
  private func leaving(
    _ measured: @escaping @Sendable (TaskMeasurements) -> Void
  ) -> @Sendable (TaskMeasurements) -> Void {
    guard allowance == nil, promise == nil else { return { _ in } }
    let excluded = filters.results.compactMap { $0.unscoped as? ExcludeMetrics }
    guard !excluded.contains(where: { $0.names == nil }) else { return { _ in } }
    let names = excluded.compactMap(\.names)
    return { all in
      var left = all
      left.metrics = all.metrics.filter { metric in !names.contains { $0.contains(metric.key) } }
      if !left.metrics.isEmpty { measured(left) }
    }
  }

  private func carryOut(
    _ task: SiteTask,
    _ progress: @escaping @Sendable () -> Void,
    _ measured: @escaping @Sendable (TaskMeasurements) -> Void = { _ in },
    summedUnder protection: SumProtection? = nil
  ) async throws -> Exchange {
    // What came to nothing is forgotten: a server that counts on what its sites remember knows of no more than it has used.
    let remembered =
      if let first = task.unusedSince {
        try memories.contents(of: task.site, forgettingFrom: first)
      } else {
        try memories.contents(of: task.site, before: task.step)
      }
    let memory = SiteMemory(remembered)
    let identity = TaskIdentity(task, memory: remembered)
    let own = secrets.derived("site \(task.site.index)")
    var context = FilterContext(
      side: .site,
      direction: .task,
      task: task.name,
      round: task.round,
      site: task.site,
      key: task.key["filters"],
      memory: memory,
      secrets: own.derived("filters")
    )
    context.identity = identity
    let (asked, decided) = (task, decided)
    let privacy = allowance.map {
      SitePrivacy($0, task: task, identity: identity) { try decided(asked, $0) }
    }
    var task = task
    if let encryption { task.data = try encryption.opened(task.data) }
    let received = encryption == nil ? nil : task.data
    task.data = try filters.tasks.applied(to: task.data, in: context) { _, _, _, _ in
    } passed: { filter, position in
      let isOwn = filters.ownTasks.contains(position)
      try decided(asked, .filtered(.task, filter: filter.shownName, isOwn: isOwn))
    }
    context.direction = .result
    context.reference = task.data
    var site = SiteContext(
      site: task.site,
      memory: memory,
      secrets: own.derived("executor"),
      logs: logs,
      progress: progress,
      measured: measured
    )
    site.privacy = privacy
    site.identity = identity
    var answer = try await executor.execute(task, at: site)
    if answer.returnCode != .ok { answer = refusal(answer) }
    answer.metadata.round = task.round
    answer.metadata.contributor = task.site.name
    if answer.returnCode == .ok {
      privacy?.withhold(from: &answer)
      answer = try filters.results.applied(to: answer, in: context) {
        filter,
        exchange,
        context,
        earlier in
        try privacy?.visit(filter, exchange, context, after: earlier)
      } passed: { filter, position in
        let isOwn = filters.ownResults.contains(position)
        try decided(asked, .filtered(.result, filter: filter.shownName, isOwn: isOwn))
      }
      // A filter may have refused by return code.
      if answer.returnCode != .ok {
        answer = refusal(answer)
      } else {
        // A filter may have measured something, too.
        privacy?.withhold(from: &answer)
        if let protection { privacy?.protect(answer, by: protection) }
        try privacy?.release(answer)
      }
    }
    if let encryption, answer.returnCode == .ok {
      // What the server has, and not what the site's filters made of it: with its own tensors, for example.
      context.reference = received
      context.key = context.key["encryption"]
      answer = try encryption.apply(to: answer, in: context)
    }
    try promise?.requireSealed(answer, at: task.site)
    if memory.isChanged { try memories.keep(memory.contents, of: task.site, after: task.step) }
    return answer
  }

  /// What leaves of an answer that cannot be used; of a site with a budget, whose reasons could say anything, the code alone.
  private func refusal(_ answer: Exchange) -> Exchange {
    var refusal = answer.withoutContent()
    if allowance != nil { refusal.headers = [:] }
    return refusal
  }
}

extension Exchange {
  /// How long a reason may be that travels in place of an answer, in characters.
  private static let largestReason = 1000

  /// What is left of an answer that cannot be used: its kind, its return code, and the header `reason`.
  ///
  /// No filter has seen it, so nothing of what it holds may leave.
  public func withoutContent() -> Exchange {
    Exchange(
      kind,
      headers: headers["reason"].map { ["reason": String($0.prefix(Self.largestReason))] } ?? [:],
      returnCode: returnCode
    )
  }
}

extension Error {
  /// The error as others may read it: messages of Tessera's own never hold data; of others, nobody knows.
  fileprivate func showable(at site: Site) -> any Error {
    switch self {
    case let error as FederationError where error.code == .budgetExhausted:
      // How much is left, and of what, is the site's own affair.
      FederationError(
        code: .budgetExhausted,
        message: "\(site.name): its privacy budget does not allow this answer"
      )
    case is FederationError, is TensorError, is DataError, is CancellationError: self
    // What the program has written stays here.
    case let failure as TrainerFailure: failure.leaving
    default:
      FederationError(
        code: .badTask,
        message: "\(site.name): its work failed with an error of the type '\(type(of: self))'"
      )
    }
  }
}
