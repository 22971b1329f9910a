/// A site's side of a task: it works on the site's own data.
///
///     struct Adding: Executor {
///       func execute(_ task: SiteTask, at site: SiteContext) async throws -> Exchange {
///         .weights(try task.model.mapTensors { try $1 + 1 }, samples: site.site.exampleCount)
///       }
///     }
///
/// An executor is asked for several sites at once, so it keeps nothing between tasks that is not its own data; what a site
/// must remember goes into ``SiteContext/memory``. Long work checks `Task.isCancelled` between batches, so that an abort acts
/// within a second, and says by ``SiteContext/progress()`` that it is alive.
public protocol Executor: Sendable {
  /// Carries out a task.
  ///
  /// - Throws: Whatever keeps the site from answering; the round goes on without it.
  func execute(_ task: SiteTask, at site: SiteContext) async throws -> Exchange
}

/// What an executor has of its site while it carries out a task.
public struct SiteContext: Sendable {
  /// The site.
  public let site: Site
  /// What the site keeps from task to task.
  ///
  /// Changes last if the task is answered, and only then.
  public let memory: SiteMemory
  private let report: @Sendable () -> Void
  var privacy: SitePrivacy?

  /// A context for one task.
  public init(
    site: Site,
    memory: SiteMemory = SiteMemory(),
    progress: @escaping @Sendable () -> Void = {}
  ) {
    self.site = site
    self.memory = memory
    report = progress
  }

  /// Enters into the site's privacy ledger what the answer will cost, before anything is computed that it is about.
  ///
  /// Does nothing at a site without a budget.
  ///
  /// - Parameters:
  ///   - events: What makes the answer private.
  ///   - purpose: What it is, unique within the task.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/budgetExhausted`` naming the site, the round and the amounts
  ///   if it would overspend.
  public func charge(_ events: [PrivacyEvent], for purpose: String) throws {
    try privacy?.charge(events, for: purpose)
  }

  /// Says that the work goes on: the clock that measures the controller's patience starts anew.
  public func progress() { report() }
}
