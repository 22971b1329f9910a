/// What a site does with the tasks that its server sends.
public protocol SiteTaskHandler: Sendable {
  /// Carries out a task.
  ///
  /// Is called for several tasks at a time, on a compute lane if it ``computes(_:of:)``; the current task is cancelled when
  /// nobody waits any longer.
  ///
  /// - Parameters:
  ///   - task: What is to be done.
  ///   - job: The job that it belongs to.
  ///   - progress: Says that the work goes on.
  /// - Returns: The answer.
  /// - Throws: What keeps the site from answering.
  func answer(
    _ task: SiteTask,
    of job: String,
    progress: @escaping @Sendable () -> Void
  ) async throws -> Exchange

  /// Carries out a task, as ``answer(_:of:progress:)``, and tells what is measured on the way.
  ///
  /// - Parameters:
  ///   - task: What is to be done.
  ///   - job: The job that it belongs to.
  ///   - progress: Says that the work goes on.
  ///   - measured: Takes what those who watch the job may see.
  /// - Returns: The answer.
  /// - Throws: What keeps the site from answering.
  func answer(
    _ task: SiteTask,
    of job: String,
    progress: @escaping @Sendable () -> Void,
    measured: @escaping @Sendable (TaskMeasurements) -> Void
  ) async throws -> Exchange

  /// An answer is about to leave: it is announced to the server when this returns.
  ///
  /// - Parameters:
  ///   - answer: What is announced.
  ///   - task: What is answered.
  ///   - job: The job that it belongs to.
  /// - Throws: What keeps it here.
  func release(_ answer: Parcel, to task: SiteTask, of job: String) throws

  /// The server has taken the answer to a task: what is to follow from it can follow now.
  func settle(_ task: TaskID) async

  /// Forgets a job: it is over. Later tasks wait for that.
  ///
  /// - Parameters:
  ///   - job: Which.
  ///   - isAborted: Whether somebody has ended it before its time, so that its programs end at once.
  /// - Returns: What is left to do, and takes its time: it is done beside later tasks.
  func forget(_ job: String, isAborted: Bool) async -> (@Sendable () async -> Void)?

  /// The jobs of which the site keeps something.
  var jobs: [String] { get }

  /// Whether a task takes a compute lane: one that does not is answered at once, however busy the site is.
  func computes(_ task: SiteTask, of job: String) -> Bool
}

extension SiteTaskHandler {
  /// As a rule nothing is told.
  public func answer(
    _ task: SiteTask,
    of job: String,
    progress: @escaping @Sendable () -> Void,
    measured: @escaping @Sendable (TaskMeasurements) -> Void
  ) async throws -> Exchange {
    try await answer(task, of: job, progress: progress)
  }

  /// As a rule nothing keeps an answer here.
  public func release(_ answer: Parcel, to task: SiteTask, of job: String) throws {}

  /// As a rule nothing follows.
  public func settle(_ task: TaskID) async {}

  /// As a rule nothing is kept that outlives the process.
  public var jobs: [String] { [] }

  /// As a rule it does.
  public func computes(_ task: SiteTask, of job: String) -> Bool { true }
}
