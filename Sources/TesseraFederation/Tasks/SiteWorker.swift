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
  private let secure: SecureSite
  /// Encrypts after all filters.
  private let encryption: EncryptModel?
  /// Whose promise it is that no tensor leaves the site in the clear.
  private let promise: EncryptModel?
  private let budget: PrivacyBudget?
  private let failed: @Sendable (SiteTask, any Error) -> Void

  /// The worker of one site, or of several in one process.
  ///
  /// - Parameters:
  ///   - executor: Does the work.
  ///   - filters: Change what comes in and what goes out.
  ///   - memories: Where sites keep what they must remember.
  ///   - limits: What a task may hold.
  ///   - encryption: Encrypts models last of all, after all filters, and decrypts those of tasks before them. Then no tensor
  ///     leaves the site in the clear: an answer that holds one is an error.
  ///   - secrets: Where the site's secrets come from: masks, and the noise that goes with them.
  ///   - policy: What the site demands of secure aggregation before it takes part.
  ///   - identities: Who the sites are, by their indices, for signed secure aggregation; a site that has an identity takes part in
  ///     no other.
  ///   - budget: How much privacy each site may spend. Its ledger is charged before an answer leaves; an answer that would
  ///     overspend, or holds tensors that nothing makes private, does not. Measurements of training stay at the site: they
  ///     are exact. Those that a task of measuring asks for are sent, and not counted, and so is the number of examples.
  ///   - failed: Is told what kept the site from answering, as it was thrown, for the site's own log: others are told no more
  ///     than errors of Tessera's own say, which never hold data.
  public init(
    executor: any Executor,
    filters: SiteFilters = SiteFilters(),
    memories: any SiteMemoryStore = VolatileSiteMemories(),
    limits: ExchangeLimits = ExchangeLimits(),
    encryption: EncryptModel? = nil,
    secrets: SecretSource = .system,
    policy: SecureAggregationPolicy = SecureAggregationPolicy(),
    identities: [Int: SiteIdentity] = [:],
    budget: PrivacyBudget? = nil,
    failed: @escaping @Sendable (SiteTask, any Error) -> Void = { _, _ in }
  ) {
    self.failed = failed
    self.executor = executor
    self.filters = filters
    self.encryption = encryption
    // Who gives it among the filters promises the same.
    promise = encryption ?? filters.results.lazy.compactMap { $0.unscoped as? EncryptModel }.first
    self.memories = memories
    self.limits = limits
    self.budget = budget
    secure = SecureSite(secrets: secrets, policy: policy, identities: identities)
  }

  /// Carries out a task.
  ///
  /// - Parameters:
  ///   - task: The task as it arrived.
  ///   - progress: Is called when the executor says that it is alive, from any thread.
  /// - Returns: The answer as it leaves the site; one that is not ``ReturnCode/ok`` without content.
  /// - Throws: What a filter or the executor throws, of an error that is not Tessera's own its type alone; the memory is then
  ///   as before.
  public func answer(
    _ task: SiteTask,
    progress: @escaping @Sendable () -> Void = {}
  ) async throws -> Exchange {
    do {
      return try await checkedAnswer(task, progress)
    } catch {
      failed(task, error)
      throw error.showable(at: task.site)
    }
  }

  private func checkedAnswer(
    _ task: SiteTask,
    _ progress: @escaping @Sendable () -> Void
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
      return try await secure.answer(task) { try await carryOut($0, progress) }
    }
    return try await carryOut(task, progress)
  }

  private func carryOut(
    _ task: SiteTask,
    _ progress: @escaping @Sendable () -> Void
  ) async throws -> Exchange {
    let memory = SiteMemory(try memories.contents(of: task.site, before: task.step))
    var context = FilterContext(
      side: .site,
      direction: .task,
      task: task.name,
      round: task.round,
      site: task.site,
      key: task.key["filters"],
      memory: memory
    )
    var task = task
    if let encryption { task.data = try encryption.opened(task.data) }
    let received = encryption == nil ? nil : task.data
    task.data = try filters.tasks.applied(to: task.data, in: context)
    context.direction = .result
    context.reference = task.data
    let privacy = budget.map { SitePrivacy(budget: $0, task: task, memory: memory) }
    var site = SiteContext(site: task.site, memory: memory, progress: progress)
    site.privacy = privacy
    var answer = try await executor.execute(task, at: site)
    if answer.returnCode != .ok { answer = answer.withoutContent() }
    answer.metadata.round = task.round
    answer.metadata.contributor = task.site.name
    if answer.returnCode == .ok {
      if privacy != nil, answer.modelCount > 0 { answer.removeMetrics() }
      var events: [PrivacyEvent] = []
      answer = try filters.results.applied(to: answer, in: context) {
        filter,
        exchange,
        context,
        earlier in
        guard privacy != nil, let filter = filter as? any PrivacySpending else { return }
        events += try filter.privacyEvents(for: exchange, in: context, after: earlier)
      }
      try privacy?.charge(events, for: "answer")
      try privacy?.requireCharge(for: answer)
      // A filter may have refused by return code.
      if answer.returnCode != .ok { answer = answer.withoutContent() }
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
}

extension Exchange {
  /// Removes all measurements, those of parts too.
  fileprivate mutating func removeMetrics() {
    metrics = [:]
    for name in parts.keys { parts[name]?.removeMetrics() }
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
    case is FederationError, is TensorError, is DataError, is CancellationError: self
    default:
      FederationError(
        code: .badTask,
        message: "\(site.name): its work failed with an error of the type '\(type(of: self))'"
      )
    }
  }
}
