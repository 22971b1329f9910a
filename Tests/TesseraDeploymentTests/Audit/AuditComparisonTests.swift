import Crypto
import Foundation
import SystemPackage
import TesseraDeployment
import TesseraProvisioning
import TesseraTesting
import Testing

@Suite("Two audit logs, side by side")
struct AuditComparisonTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func task(_ step: Int, job: String = "job-1", site: String = "north") -> AuditedTask {
    AuditedTask(job: job, step: step, task: "train", round: step, site: site)
  }

  private func log(_ name: String) throws -> AuditLog {
    try AuditLog(
      at: folder.path.appending("\(name).jsonl"),
      participant: name,
      project: "chest",
      signingKey: Curve25519.Signing.PrivateKey().rawRepresentation
    )
  }

  /// Writes both, and lays them side by side.
  private func compare(
    _ server: [AuditEvent],
    _ site: [AuditEvent],
    job: String? = nil
  ) throws -> AuditComparison {
    let logs = (try log("server"), try log("north"))
    try logs.0.append(contentsOf: server)
    try logs.1.append(contentsOf: site)
    return try AuditLog.compare(servers: [logs.0.path], site: logs.1.path, of: "north", job: job)
  }

  private func round(_ step: Int, given: String = "11", answer: String = "22") -> [AuditEvent] {
    [
      .taskGiven(task(step), digest: given),
      .contributionAccepted(task(step), digest: answer, weight: 2),
    ]
  }

  @Test("logs that tell the same agree, whatever a server tells of other sites")
  func agree() throws {
    let other: [AuditEvent] = [
      .taskGiven(task(1, site: "south"), digest: "99"),
      .contributionAccepted(task(1, site: "south"), digest: "98", weight: 1),
    ]
    let found = try compare(other + round(1) + round(2), round(1) + round(2))
    #expect(found.agrees && found.tasks == 2 && found.contributions == 2)
  }

  @Test("a task that came with another content is named, and the first comes first")
  func content() throws {
    let found = try compare(
      round(1) + round(2, given: "aa") + round(3, given: "bb"),
      round(1) + round(2, given: "ac") + round(3, given: "bc")
    )
    #expect(found.differences.map(\.task.step) == [2, 3])
    let first = try #require(found.differences.first)
    #expect(first.serverLine?.line == 4 && first.siteLine?.line == 4)
    #expect(first.message.contains("aa") && first.message.contains("ac"))
    #expect("\(first)".contains("job-1, round 2, step 2: train at north"))
    #expect("\(first)".contains("line 4 of server's log, line 4 of north's log"))
  }

  @Test("an answer that counted and was not sent so is named")
  func answer() throws {
    let changed = try compare(round(1, answer: "33"), round(1))
    #expect(changed.differences.count == 1)
    #expect(changed.differences.first?.message.contains("counted the answer 33") == true)
    #expect(changed.differences.first?.message.contains("sent 22") == true)
  }

  @Test("an answer that counted and was never sent is named")
  func invented() throws {
    let found = try compare(round(1) + round(2), round(1))
    #expect(found.differences.map(\.task.step) == [2])
    #expect(found.differences.first?.message.contains("the site sent none") == true)
    #expect(found.differences.first?.siteLine == nil)
  }

  @Test("a task that the server does not tell of is named, in its place")
  func untold() throws {
    let found = try compare(
      round(1) + round(3, given: "aa"),
      round(1) + [.taskGiven(task(2), digest: "77")] + round(3, given: "bb")
    )
    #expect(found.differences.map(\.task.step) == [2, 3])
    #expect(
      found.differences.first?.serverLine == nil && found.differences.first?.siteLine?.line == 4
    )
  }

  @Test("what a kill leaves is no disagreement")
  func kills() throws {
    // Sent and never received; answered and never counted; asked again, with another content.
    let found = try compare(
      [.taskGiven(task(1), digest: "11"), .taskGiven(task(2), digest: "12")]
        + round(3, given: "13") + round(3, given: "14", answer: "24")
        + [
          .taskGiven(task(4), digest: "15"),
          .contributionRefused(task(4), digest: "25", reason: "NaN"),
          .taskGiven(task(5), digest: "16"),
          .contributionRefused(task(5), digest: nil, reason: "late"),
        ],
      round(2, given: "12") + round(3, given: "13") + round(3, given: "14", answer: "24")
        + round(4, given: "15", answer: "25") + round(5, given: "16")
    )
    #expect(found.agrees, "\(found.differences)")
    #expect(found.notReceived == 1 && found.notCounted == 1)
  }

  @Test("a refusal of what was not sent is a disagreement")
  func refusal() throws {
    let found = try compare(
      [
        .taskGiven(task(1), digest: "11"),
        .contributionRefused(task(1), digest: "33", reason: "NaN"),
      ],
      round(1)
    )
    #expect(found.differences.count == 1)
  }

  @Test("where one server has taken over from another, both logs count")
  func twoServers() throws {
    let (first, second, site) = (try log("server"), try log("second"), try log("north"))
    try first.append(contentsOf: round(1))
    try second.append(contentsOf: round(2) + round(3, answer: "29"))
    try site.append(contentsOf: round(1) + round(2) + round(3))
    let found = try AuditLog.compare(
      servers: [first.path, second.path],
      site: site.path,
      of: "north"
    )
    #expect(found.tasks == 3 && found.contributions == 2)
    #expect(found.differences.map(\.task.step) == [3])
    #expect(found.differences.first?.serverLine?.participant == "second")
    let alone = try AuditLog.compare(servers: [first.path], site: site.path, of: "north")
    #expect(alone.differences.map(\.task.step) == [2, 3])
  }

  @Test("one job alone")
  func oneJob() throws {
    let other: [AuditEvent] = [.taskGiven(task(1, job: "job-2"), digest: "55")]
    #expect(try !compare(round(1), round(1) + other).agrees)
  }

  @Test("one job alone, of two")
  func oneJobOfTwo() throws {
    let other: [AuditEvent] = [.taskGiven(task(1, job: "job-2"), digest: "55")]
    #expect(try compare(round(1), round(1) + other, job: "job-1").agrees)
  }

  @Test("events that nobody waits for stand before those that come later")
  func background() throws {
    let log = try log("server")
    for number in 1...200 {
      try log.enqueue([.taskGiven(task(number), digest: "00")])
      if number.isMultiple(of: 50) { try log.append(.repaired(reason: "\(number)")) }
    }
    try log.enqueue([.taskGiven(task(201), digest: "00")])
    try log.settle()
    var steps: [Int] = []
    try AuditLog.read(at: log.path) { _, entry in
      switch entry.event {
      case .taskGiven(let task, _): steps.append(task.step)
      case .repaired(let reason, _): #expect(steps.last == Int(reason))
      default: break
      }
    }
    #expect(steps == Array(1...201))
  }
}
