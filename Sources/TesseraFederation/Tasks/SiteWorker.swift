internal import TesseraCore

/// A site's whole side: filters what comes in, executes it, filters what goes out, and keeps the site's memory.
///
/// Transports hand each task to it, in the process where the site's data are.
public struct SiteWorker: Sendable {
  private let executor: any Executor
  private let filters: SiteFilters
  private let memories: any SiteMemoryStore
  private let limits: ExchangeLimits
  private let secure: SecureSite
  private let budget: PrivacyBudget?

  /// The worker of one site, or of several in one process.
  ///
  /// - Parameters:
  ///   - executor: Does the work.
  ///   - filters: Change what comes in and what goes out.
  ///   - memories: Where sites keep what they must remember.
  ///   - limits: What a task may hold.
  ///   - secrets: Where the site's secrets come from: masks, and the noise that goes with them.
  ///   - budget: How much privacy each site may spend. Its ledger is charged before an answer leaves; an answer that would
  ///     overspend, or holds tensors that nothing makes private, does not. Measurements of training stay at the site: they
  ///     are exact. Those that a task of measuring asks for are sent, and not counted, and so is the number of examples.
  public init(
    executor: any Executor,
    filters: SiteFilters = SiteFilters(),
    memories: any SiteMemoryStore = VolatileSiteMemories(),
    limits: ExchangeLimits = ExchangeLimits(),
    secrets: SecretSource = .system,
    budget: PrivacyBudget? = nil
  ) {
    self.executor = executor
    self.filters = filters
    self.memories = memories
    self.limits = limits
    self.budget = budget
    secure = SecureSite(secrets: secrets)
  }

  /// Carries out a task.
  ///
  /// - Parameters:
  ///   - task: The task as it arrived.
  ///   - progress: Is called when the executor says that it is alive, from any thread.
  /// - Returns: The answer as it leaves the site.
  /// - Throws: What a filter or the executor throws; the memory is then as before.
  public func answer(
    _ task: SiteTask,
    progress: @escaping @Sendable () -> Void = {}
  ) async throws -> Exchange {
    try Task.checkCancellation()
    try limits.check(task.data)
    guard task.name != .secureAggregation else {
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
    task.data = try filters.tasks.applied(to: task.data, in: context)
    context.direction = .result
    context.reference = task.data
    let privacy = budget.map { SitePrivacy(budget: $0, task: task, memory: memory) }
    var site = SiteContext(site: task.site, memory: memory, progress: progress)
    site.privacy = privacy
    var answer = try await executor.execute(task, at: site)
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
    }
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
