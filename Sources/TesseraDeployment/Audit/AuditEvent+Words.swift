internal import TesseraProvisioning

extension AuditEvent: CustomStringConvertible {
  /// The event in a line, for people.
  public var description: String {
    switch self {
    case .opened(let participant, let project, let version):
      "\(participant) of \(project) opened the log, with version \(version)"
    case .repaired(let reason, _): "set right: \(reason)"
    case .taskGiven(let task, let digest): "\(task) was given, content \(short(digest))"
    case .contributionAccepted(let task, let digest, let weight):
      "\(task) was answered: \(short(digest)) accepted with weight \(weight)"
    case .contributionRefused(let task, let digest, let reason):
      "\(task): \(digest.map { "the answer \(short($0)) was" } ?? "was") refused: \(reason)"
    case .filterApplied(let task, let filter, let owner, let passage):
      "\(task): \(passage.map { "its \($0.rawValue)" } ?? "it") passed the filter '\(filter)' of the \(owner.rawValue)"
    case .budgetSpent(let task, let epsilon, let left, let delta):
      "\(task) was charged epsilon \(epsilon)\(delta.map { " at delta \($0)" } ?? ""); \(left) is left"
    case .jobBudgetSpent(let job, let round, let purpose, let epsilon, let left, let delta):
      "\(job), round \(round): the job's budget was charged for '\(purpose)': epsilon \(epsilon) at delta \(delta) is spent; \(left) is left"
    case .jobBudgetRefused(let job, let round, let purpose, let reason):
      "\(job), round \(round): the job's budget has refused '\(purpose)': \(reason)"
    case .budgetRefused(let task, let reason): "\(task) was kept back by the budget: \(reason)"
    case .jobChanged(let job, let state, let by):
      "job \(job) is \(state.name)\(state.reason.map { " (\($0))" } ?? ""), by \(by)"
    case .administration(let person, let action, let target, let outcome):
      "\(person.name) (\(person.role.rawValue), \(person.organisation)): \(action) \(target)\(outcome)"
    case .operationRefused(let reason): "an operation was refused: \(reason)"
    case .connected(let name, let kind, let address, let serial):
      "\(kind.rawValue) \(name) connected from \(address), certificate \(serial)"
    case .disconnected(let name, let reason): "\(name) disconnected: \(reason)"
    case .connectionRefused(let address, let reason):
      "a connection from \(address) was refused: \(reason)"
    }
  }

  /// The beginning of a digest is enough for people.
  private func short(_ digest: String) -> String { String(digest.prefix(12)) }
}

extension AuditedTask: CustomStringConvertible {
  /// `job-3, round 2, step 7: train at north`.
  public var description: String { "\(job), round \(round), step \(step): \(task) at \(site)" }
}

extension AuditEvent.Outcome: CustomStringConvertible {
  /// What follows the wish.
  public var description: String {
    switch self {
    case .allowed: ""
    case .refused(let reason): ": refused: \(reason)"
    }
  }
}
