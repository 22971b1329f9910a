/// What happens during a run, for those who watch.
///
/// Arrives from any thread.
public enum FederationEvent: Sendable {
  /// A round has begun.
  case roundStarted(round: Int, of: Int)
  /// Sites are asked to do a task.
  case asked(TaskName, round: Int, sites: Int)
  /// A site's answer was used; so many have answered by now.
  case answered(Site, answers: Int)
  /// A site's answer was not used.
  case refused(Refusal)
  /// A site that was not waited for is done, or failed.
  case notified(Site, error: String?)
}

/// What happens in a job, as its journal has it.
public enum JobEvent: Sendable, Hashable, Codable {
  /// The job began.
  case started(configuration: String, model: String)
  /// The job goes on after a stop.
  case resumed(afterRound: Int)
  /// A round began.
  case roundStarted(Int)
  /// Sites were asked.
  case taskOpened(step: Int, task: TaskName, round: Int, sites: [String])
  /// An answer was used.
  case answerAccepted(step: Int, Contribution)
  /// An answer was not used.
  case answerRefused(step: Int, Refusal)
  /// Enough answers were there.
  case taskClosed(step: Int, accepted: Int)
  /// A round was done and its state saved.
  case roundFinished(JobRound)
  /// Nothing more happens.
  case finished(FinishReason)
}

/// A round that is done, as the journal has it.
public struct JobRound: Sendable, Hashable, Codable {
  /// Its number, from 1.
  public var round: Int
  /// The digest of the global model after it.
  public var model: String
  /// How good the global model is, if that was measured.
  public var evaluation: Evaluation?
  /// The number of the last task.
  public var step: Int
}

/// Why a run is over.
public enum FinishReason: String, Sendable, Codable {
  /// All rounds are done.
  case allRounds
  /// The target accuracy was reached.
  case targetReached
  /// The workflow had nothing more to do.
  case workflowDone
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
