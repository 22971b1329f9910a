/// What happens during a run, for those who watch.
///
/// Arrives from any thread.
public enum FederationEvent: Sendable {
  /// A round has begun.
  case roundStarted(round: Int, of: Int)
  /// Sites are asked to do a task.
  case asked(TaskName, round: Int, sites: Int)
  /// What an answer took that is used.
  case worked(Site, SiteEffort)
  /// A site's answer was used; so many have answered by now.
  case answered(Site, answers: Int)
  /// A site's answer was not used.
  case refused(Refusal)
  /// A site that was not waited for is done, or failed.
  case notified(Site, error: String?)
}

/// What happens in a round and has to be in the journal before anything follows from it.
public enum JournalEvent: Sendable, Hashable {
  /// A round began.
  case roundStarted(Int)
  /// Sites were asked.
  case taskOpened(step: Int, task: TaskName, round: Int, sites: Int)
  /// An answer was used.
  case answerAccepted(step: Int, Contribution)
  /// An answer was not used.
  case answerRefused(step: Int, Refusal)
  /// Enough answers were there.
  case taskClosed(step: Int, accepted: Int)
}

/// Why a run is over.
public enum FinishReason: String, Sendable, Codable {
  /// All rounds are done.
  case allRounds
  /// The target accuracy was reached.
  case targetReached
  /// The workflow had nothing more to do.
  case workflowDone
  /// It was to go no further for now.
  case paused
}

/// Is called around each task, on the server's side, from any thread.
public struct TaskCallbacks: Sendable {
  /// Before a task is sent: what to send instead, or the same.
  public var willSend: (@Sendable (TaskName, Exchange, [Site]) -> Exchange)?
  /// When an answer has passed the filters: what to take instead, or the same.
  public var didReceive: (@Sendable (TaskName, Exchange, Site) -> Exchange)?
  /// When a task is done.
  public var didFinish: (@Sendable (TaskName, [Contribution], [Refusal]) -> Void)?

  /// Callbacks; none by default.
  public init(
    willSend: (@Sendable (TaskName, Exchange, [Site]) -> Exchange)? = nil,
    didReceive: (@Sendable (TaskName, Exchange, Site) -> Exchange)? = nil,
    didFinish: (@Sendable (TaskName, [Contribution], [Refusal]) -> Void)? = nil
  ) {
    self.willSend = willSend
    self.didReceive = didReceive
    self.didFinish = didFinish
  }
}
