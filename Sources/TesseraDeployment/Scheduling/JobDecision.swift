/// What a ``JobScheduler`` says about a job that waits.
public struct JobDecision: Sendable, Hashable {
  /// What is to become of it.
  public enum Verdict: Sendable, Hashable {
    /// It starts now, at these sites, in the order in which the federation lists them.
    case start(sites: [String])
    /// It goes on waiting; the reason is for people.
    case wait(reason: String)
    /// It can never run; the reason is for people.
    case abandon(reason: String)
  }

  /// The job.
  public var job: String
  /// What is to become of it.
  public var verdict: Verdict

  /// A decision.
  public init(job: String, verdict: Verdict) {
    self.job = job
    self.verdict = verdict
  }
}
