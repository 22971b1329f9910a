public import TesseraFederation

/// What happens at a server, for its log and audit.
public enum ServerEvent: Sendable {
  /// A job is new, or in another state.
  case jobChanged(JobRecord)
  /// Tasks of a job are about to be sent to sites.
  case tasksGiven([GivenTask])
  /// A site's answer counts, with the digest of what arrived.
  case answerAccepted(AuditedTask, digest: String, weight: Double)
  /// A site's answer does not; there is no digest if none has arrived.
  case answerRefused(AuditedTask, digest: String?, reason: String)
  /// The server's filters or the job's privacy budget have decided something.
  case decided(job: String, ServerDecision)
  /// A round of a job is done, and saved when all that was told before is kept.
  case roundWillBeSaved(job: String, round: Int)
  /// Sites of a job, for those who follow it.
  case progress(job: String, FederationEvent)
  /// A round of a job is saved.
  case roundFinished(job: String, JobEvent.RoundSummary)
  /// A job cannot start yet.
  case jobWaits(job: String, reason: String)
  /// A site of a job that runs is not connected.
  case siteLeft(job: String, JobEvent.AwaySite)
  /// It is there again.
  case siteReturned(job: String, site: String)
  /// Somebody asked for something.
  case asked(String, by: Person, PolicyDecision)
  /// A job does not go on, because the server cannot write; it is tried again.
  case jobPaused(job: String, reason: String)
  /// A job goes on that has paused, or it is over.
  case jobGoesOn(job: String)
  /// A job was removed, with all that it has made.
  case jobDeleted(job: String)
  /// Something went wrong that ends nothing.
  case trouble(job: String?, String)

  /// A task for a site.
  public struct GivenTask: Sendable, Hashable {
    /// The task.
    public var task: AuditedTask
    /// The digest of its content, `Parcel.digest`.
    public var digest: String
  }
}
