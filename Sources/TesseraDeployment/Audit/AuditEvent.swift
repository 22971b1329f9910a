public import TesseraProvisioning

/// Something that an ``AuditLog`` tells of.
///
/// Digests are SHA-256, hexadecimal; those of tasks and answers are `Parcel.digest`, of what travelled as it was announced, so that
/// both sides name the same. An event holds names, numbers and reasons, and nothing of the data.
public enum AuditEvent: Sendable, Hashable, Codable {
  /// The log was opened: by whom, a participant of which federation, with which version of Tessera.
  case opened(participant: String, project: String, version: String)
  /// Something was found when the log was opened, and set right, as after a kill.
  case repaired(reason: String, damage: Damage? = nil)
  /// A task was given to a site: sent, in the server's log, or taken, in the site's.
  case taskGiven(AuditedTask, digest: String)
  /// A site's answer became part of a result, in the server's log; may leave, in the site's, with the weight that it asks for.
  case contributionAccepted(AuditedTask, digest: String, weight: Double)
  /// A site's answer did not; there is no digest if there was no answer.
  case contributionRefused(AuditedTask, digest: String?, reason: String)
  /// A filter has changed a task or an answer, or let it pass; those of one task stand in the order in which it passed them.
  case filterApplied(AuditedTask, filter: String, owner: FilterOwner, passing: Passage? = nil)
  /// An answer of a site was charged to its privacy budget, and may leave: so much ε for itself, at that δ, and so much is left of
  /// the budget after all that the site has released. An answer that left before is charged nothing when it leaves again.
  case budgetSpent(AuditedTask, epsilon: Double, left: Double, delta: Double? = nil)
  /// What the server is about to release was charged to the job's privacy budget: ε of all releases with this one, at that δ, and
  /// what is left.
  case jobBudgetSpent(
    job: String,
    round: Int,
    purpose: String,
    epsilon: Double,
    left: Double,
    delta: Double
  )
  /// The job's privacy budget does not allow what the server was to release.
  case jobBudgetRefused(job: String, round: Int, purpose: String, reason: String)
  /// An answer of a site may not leave, by its privacy budget.
  case budgetRefused(AuditedTask, reason: String)
  /// A job is in another state, and by whom.
  case jobChanged(job: String, state: JobState, by: String)
  /// Somebody has asked for something.
  case administration(person: Person, action: String, target: String, outcome: Outcome)
  /// A site's server has asked for an operation that nobody has signed, or that was done before.
  case operationRefused(reason: String)
  /// Somebody has connected, with the certificate of that serial number.
  case connected(name: String, kind: Participant.Kind, address: String, serial: String)
  /// A connection is over.
  case disconnected(name: String, reason: String)
  /// Somebody was not let in.
  case connectionRefused(address: String, reason: String)

  /// What was found when a log was opened.
  public enum Damage: String, Sendable, Hashable, Codable {
    /// A line that a kill has left unfinished.
    case tornLine
    /// Nothing says how long the log was: lines may have been removed.
    case withoutHead
  }

  /// Whose a filter is.
  public enum FilterOwner: String, Sendable, Hashable, Codable {
    /// The job's.
    case job
    /// The site's own, which no job can remove.
    case site
    /// The server's, which the job names.
    case server
  }

  /// What passes a filter.
  public enum Passage: String, Sendable, Hashable, Codable {
    /// What the site was given.
    case task
    /// What it answers.
    case answer
  }

  /// What became of a wish.
  public enum Outcome: Sendable, Hashable, Codable {
    /// It was done.
    case allowed
    /// It was not.
    case refused(reason: String)
  }

  /// The job that it is about, if it is about one.
  public var job: String? {
    switch self {
    case .taskGiven(let task, _), .contributionAccepted(let task, _, _),
      .contributionRefused(let task, _, _), .filterApplied(let task, _, _, _),
      .budgetSpent(let task, _, _, _), .budgetRefused(let task, _):
      task.job
    case .jobChanged(let job, _, _), .jobBudgetSpent(let job, _, _, _, _, _),
      .jobBudgetRefused(let job, _, _, _):
      job
    case .administration(_, _, let target, _): target
    case .opened, .repaired, .operationRefused, .connected, .disconnected,
      .connectionRefused:
      nil
    }
  }
}

/// A task of a job at a site.
public struct AuditedTask: Sendable, Hashable, Codable {
  /// The job.
  public var job: String
  /// The task's number in the job.
  public var step: Int
  /// What is to be done, as `train`.
  public var task: String
  /// The round, from 1.
  public var round: Int
  /// The site.
  public var site: String

  /// A task.
  public init(job: String, step: Int, task: String, round: Int, site: String) {
    self.job = job
    self.step = step
    self.task = task
    self.round = round
    self.site = site
  }
}
