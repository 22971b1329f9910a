import Crypto
import Foundation
import SystemPackage
import TesseraDeployment
import TesseraProvisioning
import TesseraTesting
import Testing

@Suite("Lines of the audit log, for programs")
struct AuditedEventTests {
  static let all: [AuditEvent] =
    AuditLogTests.events + [
      .opened(participant: "server", project: "chest", version: "1"),
      .repaired(reason: "a torn line", damage: .tornLine),
    ]

  /// What programs read of events, after a log has kept them.
  static func shown(_ events: [AuditEvent]) throws -> [[String: Any]] {
    let folder = try TemporaryFolder()
    let path = folder.path.appending("audit.jsonl")
    let moment = Date(timeIntervalSince1970: 1_772_366_400)
    let log = try AuditLog(
      at: path,
      participant: "server",
      project: "chest",
      signingKey: AuditLogTests.key.rawRepresentation
    ) { moment }
    for event in events { try log.append(event) }
    var lines: [AuditedEvent] = []
    try AuditLog.read(at: path) { lines.append(AuditedEvent(number: $0, $1)) }
    // The first tells that the log was opened.
    return try lines.dropFirst().map { line in
      let object = try JSONSerialization.jsonObject(with: Data(JSONText.of(line).utf8))
      return try #require(object as? [String: Any])
    }
  }

  @Test("each kind is one object with its kind, its number, an ISO time and its words")
  func kinds() throws {
    let lines = try Self.shown(Self.all)
    #expect(Set(Self.all.map(\.kind)) == Set(AuditEvent.Kind.allCases))
    for (line, (number, event)) in zip(lines, zip(2..., Self.all)) {
      #expect(line["event"] as? String == event.kind.rawValue)
      #expect(line["number"] as? Int == number)
      #expect(line["time"] as? String == "2026-03-01T12:00:00Z")
      #expect(line["words"] as? String == event.description)
      if let job = event.job, event.kind != .administration {
        #expect(line["job"] as? String == job)
      }
    }
    #expect(lines.count == Self.all.count)
  }

  @Test("the keys of a kind are always there")
  func keys() throws {
    let task: Set = ["number", "time", "event", "words", "job", "round", "step", "task", "site"]
    let lines = try Self.shown([
      .contributionRefused(AuditLogTests.task, digest: nil, reason: "it took too long"),
      .contributionRefused(AuditLogTests.task, digest: "00ff", reason: "NaN"),
      .filterApplied(AuditLogTests.task, filter: "clip-norm", owner: .site),
      .budgetSpent(AuditLogTests.task, epsilon: 0.125, left: .infinity),
    ])
    #expect(Set(lines[0].keys) == task.union(["digest", "reason"]))
    #expect(Set(lines[1].keys) == Set(lines[0].keys))
    #expect(Set(lines[2].keys) == task.union(["filter", "owner", "passing"]))
    #expect(Set(lines[3].keys) == task.union(["epsilon", "left", "delta"]))
    #expect(lines[0]["digest"] is NSNull)
    #expect(lines[3]["left"] as? String == "inf")
    #expect(lines[0]["task"] as? String == "train")
  }

  @Test("states and people are as other commands have them")
  func values() throws {
    let person = Person(name: "bob", organisation: "Hub", role: .member)
    let lines = try Self.shown([
      .jobChanged(job: "job-1", state: .finished(.aborted(by: "ada")), by: "ada"),
      .administration(person: person, action: "abort", target: "job-1", outcome: .allowed),
      .administration(
        person: person,
        action: "abort",
        target: "job-1",
        outcome: .refused(reason: "no")
      ),
    ])
    let state = try #require(lines[0]["state"] as? [String: Any])
    #expect(state["outcome"] as? String == "aborted" && state["by"] as? String == "ada")
    #expect((lines[1]["person"] as? [String: String])?["organisation"] == "Hub")
    #expect(lines[1]["reason"] is NSNull)
    #expect(lines[2]["reason"] as? String == "no")
  }
}
