public import SystemPackage

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

  /// Lets go of what was kept from task to task, as programs that were started: the job is over, or goes on elsewhere.
  ///
  /// Whoever makes an executor calls it at the end. When the current task is cancelled, also while this waits, it takes no more than
  /// a second. A task that comes later is carried out as the first was.
  func close() async
}

extension Executor {
  /// Does nothing: most executors keep nothing.
  public func close() async {}
}

/// What an executor has of its site while it carries out a task.
public struct SiteContext: Sendable {
  /// The site.
  public let site: Site
  /// What the site keeps from task to task.
  ///
  /// Changes last if the task is answered, and only then.
  public let memory: SiteMemory
  /// Where programs that the executor starts leave what they say, for the site's own people: a folder, which need not be there.
  public let logs: FilePath?
  private let report: @Sendable () -> Void
  private let tell: @Sendable (TaskMeasurements) -> Void
  private let secrets: SecretSource
  var privacy: SitePrivacy?
  var identity: TaskIdentity?

  /// A context for one task.
  public init(
    site: Site,
    memory: SiteMemory = SiteMemory(),
    secrets: SecretSource = .system,
    logs: FilePath? = nil,
    progress: @escaping @Sendable () -> Void = {},
    measured: @escaping @Sendable (TaskMeasurements) -> Void = { _ in }
  ) {
    tell = measured
    self.logs = logs
    self.site = site
    self.memory = memory
    self.secrets = secrets
    report = progress
  }

  /// Says what the answer will cost, before anything is computed that it is about.
  ///
  /// Does nothing at a site without a budget. At one with a budget, the executor promises that these events are all that the
  /// answer's tensors tell of the data; they go into the site's ledger before the answer leaves, if it does.
  ///
  /// - Parameters:
  ///   - events: What makes the answer private.
  ///   - purpose: What it is, for a person.
  ///   - measurements: The names of measurements that are covered too; others do not leave the site.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/budgetExhausted`` naming the site, the round and the amounts
  ///   if it would overspend.
  public func charge(
    _ events: [PrivacyEvent],
    for purpose: String,
    covering measurements: Set<String> = []
  ) throws {
    try privacy?.charge(events, for: purpose, covering: measurements)
  }

  /// Promises that nothing in the answer depends on the site's data: it may leave a site with a budget, and costs nothing.
  ///
  /// Such are a model of random weights, and what is computed from the task alone.
  public func declareFreeOfData() { privacy?.declareFreeOfData(nil) }

  /// Promises that measurements of these names do not depend on the site's data beyond its number of examples.
  public func declareFreeOfData(measurements: Set<String>) {
    privacy?.declareFreeOfData(measurements)
  }

  /// The site's secrets for a purpose within this task, for noise that protects.
  ///
  /// Where secrets can be repeated, they follow from all that the task came with and the site remembered: a task that is
  /// repeated draws the same, and another task of the same number does not.
  ///
  /// - Throws: `TensorError` if the task's tensors cannot be read.
  public func secrets(for purpose: String) throws -> SecretSource {
    let own = secrets.derived(purpose)
    guard own != .system else { return own }
    return try own.derived(identity?.digest() ?? "")
  }

  /// Says that the work goes on: the clock that measures the controller's patience starts anew.
  public func progress() { report() }

  /// Says that the work goes on, and what was measured on the way: those who watch the job are shown it, if the site lets it leave.
  ///
  /// - Parameters:
  ///   - metrics: What was measured, by name.
  ///   - step: How far the work is, in a count of its own.
  public func progress(measured metrics: [String: Double], step: Int? = nil) {
    report()
    // Nothing covers them where privacy is counted.
    guard privacy == nil else { return }
    tell(TaskMeasurements(metrics, step: step))
  }
}
