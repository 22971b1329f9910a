public import Foundation

/// A line of an ``AuditLog`` as programs read it: one object, whose `event` says of what kind it is, and which always has the keys
/// of that kind.
///
/// Each has `number`, `time`, `event` and `words`, the line that people read. A task's has `job`, `round`, `step`, `task` and
/// `site`.
///
/// | `event` | with |
/// |---|---|
/// | `log opened` | `participant`, `project`, `version` |
/// | `log repaired` | `reason`; `damage`: `tornLine`, `withoutHead` or null |
/// | `task given` | a task's; `digest` |
/// | `answer accepted` | a task's; `digest`, `weight` |
/// | `answer refused` | a task's; `digest` or null, `reason` |
/// | `filter passed` | a task's; `filter`, `owner`: `job`, `site` or `server`; `passing`: `task`, `answer` or null |
/// | `budget charged` | a task's; `epsilon`, `left`, `delta` or null |
/// | `budget refused` | a task's; `reason` |
/// | `job budget charged` | `job`, `round`, `purpose`, `epsilon`, `left`, `delta` |
/// | `job budget refused` | `job`, `round`, `purpose`, `reason` |
/// | `job changed` | `job`, its id; `state`, as `jobs` lists it; `by` |
/// | `request` | `person` with `name`, `organisation` and `role`; `action`, `target`; `reason` why it was refused, or null |
/// | `operation refused` | `reason` |
/// | `connected` | `name`, `kind`, `address`, `serial` |
/// | `disconnected` | `name`, `reason` |
/// | `connection refused` | `address`, `reason` |
///
/// The log itself holds events in a form of its own, which is signed, and stays as it was written.
public struct AuditedEvent: Sendable, Hashable, Encodable {
  /// The line's number, from 1.
  public var number: Int
  /// When it was written, by the clock of the participant's machine.
  public var time: Date
  /// What it tells of.
  public var event: AuditEvent

  /// A line.
  public init(number: Int, _ entry: AuditEntry) {
    self.number = number
    time = entry.time
    event = entry.event
  }

  private enum Key: String, CodingKey {
    case number, time, event, words
    case job, round, step, task, site
    case participant, project, version, reason, damage, digest, weight, filter, owner, passing
    case epsilon, left, delta, purpose, state, by, person, action, target
    case name, kind, address, serial
  }

  /// Writes the object.
  public func encode(to encoder: any Encoder) throws {
    var object = encoder.container(keyedBy: Key.self)
    func write(_ value: (some Encodable)?, _ key: Key) throws {
      try object.encode(value, forKey: key)
    }
    func write(_ task: AuditedTask) throws {
      try write(task.job, .job)
      try write(task.round, .round)
      try write(task.step, .step)
      try write(task.task, .task)
      try write(task.site, .site)
    }
    try write(number, .number)
    try write(time, .time)
    try write(event.kind, .event)
    try write(event.description, .words)
    switch event {
    case .opened(let participant, let project, let version):
      try write(participant, .participant)
      try write(project, .project)
      try write(version, .version)
    case .repaired(let reason, let damage):
      try write(reason, .reason)
      try write(damage, .damage)
    case .taskGiven(let task, let digest):
      try write(task)
      try write(digest, .digest)
    case .contributionAccepted(let task, let digest, let weight):
      try write(task)
      try write(digest, .digest)
      try write(weight, .weight)
    case .contributionRefused(let task, let digest, let reason):
      try write(task)
      try write(digest, .digest)
      try write(reason, .reason)
    case .filterApplied(let task, let filter, let owner, let passing):
      try write(task)
      try write(filter, .filter)
      try write(owner, .owner)
      try write(passing, .passing)
    case .budgetSpent(let task, let epsilon, let left, let delta):
      try write(task)
      try write(epsilon, .epsilon)
      try write(left, .left)
      try write(delta, .delta)
    case .budgetRefused(let task, let reason):
      try write(task)
      try write(reason, .reason)
    case .jobBudgetSpent(let job, let round, let purpose, let epsilon, let left, let delta):
      try write(job, .job)
      try write(round, .round)
      try write(purpose, .purpose)
      try write(epsilon, .epsilon)
      try write(left, .left)
      try write(delta, .delta)
    case .jobBudgetRefused(let job, let round, let purpose, let reason):
      try write(job, .job)
      try write(round, .round)
      try write(purpose, .purpose)
      try write(reason, .reason)
    case .jobChanged(let job, let state, let by):
      try write(job, .job)
      try write(state, .state)
      try write(by, .by)
    case .administration(let person, let action, let target, let outcome):
      try write(person, .person)
      try write(action, .action)
      try write(target, .target)
      let reason: String? = if case .refused(let why) = outcome { why } else { nil }
      try write(reason, .reason)
    case .operationRefused(let reason): try write(reason, .reason)
    case .connected(let name, let kind, let address, let serial):
      try write(name, .name)
      try write(kind, .kind)
      try write(address, .address)
      try write(serial, .serial)
    case .disconnected(let name, let reason):
      try write(name, .name)
      try write(reason, .reason)
    case .connectionRefused(let address, let reason):
      try write(address, .address)
      try write(reason, .reason)
    }
  }
}
