public import SystemPackage

extension AuditLog {
  /// Lays the logs of servers and that of a site side by side.
  ///
  /// What must be the same is the same in both: the digest of each task that the site was given, and the digest of each answer of
  /// the site that counted. Neither says that a log is whole: that is what ``verify(at:keys:since:)`` is for.
  ///
  /// - Parameters:
  ///   - servers: The server's log; both, where one server has taken over from another.
  ///   - site: The site's log.
  ///   - name: The site.
  ///   - job: Only what is about this job; all if `nil`.
  /// - Returns: What was found.
  /// - Throws: ``DeploymentError`` with code ``DeploymentError/Code/cannotRead`` if there is no log.
  public static func compare(
    servers: [FilePath],
    site: FilePath,
    of name: String,
    job: String? = nil
  ) throws -> AuditComparison {
    var server = try AuditedTasks(at: servers, of: name, job: job)
    let site = try AuditedTasks(at: [site], of: name, job: job)
    var comparison = AuditComparison(site: name)
    server.addOrder(of: site)
    for task in server.order {
      comparison.add(task, server.tasks[task] ?? .init(), site.tasks[task] ?? .init())
    }
    return comparison
  }
}

/// What ``AuditLog/compare(servers:site:of:job:)`` has found.
public struct AuditComparison: Sendable, Hashable, Codable {
  /// A task on which the logs do not agree.
  public struct Difference: Sendable, Hashable, Codable, CustomStringConvertible {
    /// The task.
    public var task: AuditedTask
    /// In what they differ.
    public var message: String
    /// The line of a server's log that it is about, if there is one.
    public var serverLine: AuditPlace?
    /// The line of the site's log that it is about, if there is one.
    public var siteLine: AuditPlace?

    /// The task, what is wrong, and where.
    public var description: String {
      let places = [serverLine, siteLine].compactMap { $0 }.map {
        "line \($0.line) of \($0.participant)'s log"
      }
      return "\(task): \(message) (\(places.joined(separator: ", ")))"
    }
  }

  /// Whose log was laid beside the server's.
  public var site: String
  /// How many tasks both tell of.
  public var tasks = 0
  /// How many answers both tell of that counted.
  public var contributions = 0
  /// Where they differ, in the order of the tasks; of thousands, the first hundred.
  public var differences: [Difference] = []
  /// Tasks that the server sent, and the site has not had: it was away, or they were withdrawn.
  public var notReceived = 0
  /// Answers that left the site, and of which the server says nothing: they were on their way when it was killed, or nobody waited
  /// for them.
  public var notCounted = 0

  init(site: String) { self.site = site }

  /// Whether the logs tell the same.
  public var agrees: Bool { differences.isEmpty }

  fileprivate mutating func add(
    _ task: AuditedTask,
    _ server: AuditedTasks.Told,
    _ site: AuditedTasks.Told
  ) {
    func differ(_ message: String, _ serverLine: AuditPlace?, _ siteLine: AuditPlace?) {
      guard differences.count < 100 else { return }
      differences.append(
        Difference(task: task, message: message, serverLine: serverLine, siteLine: siteLine)
      )
    }
    for (digest, line) in site.given.sorted(by: { $0.value < $1.value })
    where server.given[digest] == nil {
      guard let other = server.given.min(by: { $0.value < $1.value }) else {
        differ("the site was given it, and the server does not say that it sent it", nil, line)
        continue
      }
      differ(
        "the server sent the content \(other.key), and the site was given \(digest)",
        other.value,
        line
      )
    }
    if !server.given.isEmpty, !site.given.isEmpty { tasks += 1 }
    for (digest, line) in server.counted.sorted(by: { $0.value < $1.value }) {
      if site.sent[digest] != nil {
        contributions += 1
      } else if let own = site.sent.max(by: { $0.value < $1.value }) {
        differ(
          "the server counted the answer \(digest), and the site sent \(own.key)",
          line,
          own.value
        )
      } else {
        differ("the server counted the answer \(digest), and the site sent none", line, nil)
      }
    }
    for (digest, line) in server.refused.sorted(by: { $0.value < $1.value })
    where site.sent[digest] == nil {
      differ("the server refused the answer \(digest), and the site did not send it", line, nil)
    }
    if !server.given.isEmpty, site.given.isEmpty { notReceived += 1 }
    if !site.sent.isEmpty, server.counted.isEmpty, !server.isRefused { notCounted += 1 }
  }
}

/// A line of somebody's log.
public struct AuditPlace: Sendable, Hashable, Codable, Comparable {
  /// Whose log it is.
  public var participant: String
  /// The line's number.
  public var line: Int

  /// By lines.
  public static func < (a: Self, b: Self) -> Bool {
    (a.line, a.participant) < (b.line, b.participant)
  }
}

/// What logs tell of the tasks of one site.
private struct AuditedTasks {
  /// Of one task: digests, and the last line where each stands.
  struct Told {
    var given: [String: AuditPlace] = [:]
    /// In the server's log.
    var counted: [String: AuditPlace] = [:]
    /// In the site's log.
    var sent: [String: AuditPlace] { counted }
    var refused: [String: AuditPlace] = [:]
    var isRefused = false
  }

  private(set) var tasks: [AuditedTask: Told] = [:]
  /// In the order in which jobs and their tasks are told first.
  private(set) var order: [AuditedTask] = []

  init(at paths: [FilePath], of site: String, job: String?) throws {
    for path in paths {
      var participant = ""
      try AuditLog.read(at: path) { line, entry in
        let place = AuditPlace(participant: participant, line: line)
        switch entry.event {
        case .opened(let name, _, _): participant = name
        case .taskGiven(let task, let digest): note(task) { $0.given[digest] = place }
        case .contributionAccepted(let task, let digest, _):
          note(task) { $0.counted[digest] = place }
        case .contributionRefused(let task, let digest, _):
          note(task) {
            $0.isRefused = true
            if let digest { $0.refused[digest] = place }
          }
        default: break
        }
      }
    }
    func note(_ task: AuditedTask, _ change: (inout Told) -> Void) {
      guard task.site == site, job == nil || task.job == job else { return }
      if tasks[task] == nil { order.append(task) }
      change(&tasks[task, default: Told()])
    }
  }

  /// Puts the tasks that only the other log tells of to those of the same job, by their numbers.
  mutating func addOrder(of other: AuditedTasks) {
    var jobs: [String] = []
    var byJob: [String: [AuditedTask]] = [:]
    for task in order + other.order.filter({ tasks[$0] == nil }) {
      if byJob[task.job] == nil { jobs.append(task.job) }
      byJob[task.job, default: []].append(task)
    }
    order = jobs.flatMap { (byJob[$0] ?? []).sorted { $0.step < $1.step } }
  }
}
