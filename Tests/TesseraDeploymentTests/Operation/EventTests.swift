import Foundation
import Logging
import Synchronization
import SystemPackage
import TesseraDeployment
import TesseraFederation
import TesseraProvisioning
import TesseraTesting
import Testing

@Suite struct EventTests {
  let folder: TemporaryFolder
  private let site = Site(index: 0, name: "north", exampleCount: 5)
  private let person = Person(name: "ada", organisation: "hub", role: .lead)

  init() throws { folder = try TemporaryFolder() }

  private func job(_ state: JobState) -> JobRecord {
    var job = JobRecord(
      id: "chest-1",
      name: "chest",
      submitter: person,
      submitted: Date(),
      requirements: JobRequirements(),
      digest: ""
    )
    job.state = state
    return job
  }

  /// The lines that a log has, each as its keys and values.
  private func lines(_ body: (Logger) -> Void) throws -> [[String: String]] {
    let log = DeploymentLog(
      control: LogControl(level: .trace),
      console: nil,
      folder: folder.path,
      name: "log"
    )
    body(log.logger("tessera"))
    return try LogFile.lines(of: folder.path.appending("log.jsonl"), last: 100).map {
      try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: String] ?? [:]
    }
  }

  @Test func whatHappensAtAServerIsSaidWithJobAndSite() throws {
    let lines = try lines { logger in
      let events: [ServerEvent] = [
        .jobChanged(job(.running)), .jobChanged(job(.finished(.failed(reason: "too few sites")))),
        .progress(job: "chest-1", .refused(Refusal(site: site, reason: "it holds NaN"))),
        .asked("abort chest-1", by: person, .refused(reason: "members may not")),
        .trouble(job: "chest-1", "the disk is full"), .trouble(job: nil, "no port"),
      ]
      for event in events { DeploymentLog.note(event, by: logger) }
    }
    #expect(
      lines.map { $0["level"] } == ["info", "warning", "warning", "warning", "error", "error"]
    )
    #expect(
      lines.map { $0["job"] } == ["chest-1", "chest-1", "chest-1", nil, "chest-1", nil]
    )
    #expect(lines[1]["reason"] == "too few sites")
    #expect(lines[2]["site"] == "north" && lines[2]["reason"]?.contains("it holds NaN") == true)
    #expect(lines[3]["message"] == "ada asks for 'abort chest-1': refused")
  }

  @Test func whatHappensAtASiteIsSaidWithItsJob() throws {
    let lines = try lines { logger in
      let events: [SiteJobs.Event] = [
        .accepted(job: "chest-1", by: person), .refused(job: "chest-2", reason: "not signed"),
        .began(job: "chest-1", sites: 3), .forgotten(job: "chest-1"),
        .operated("restart", by: person, isAllowed: false),
        .operationRefused(reason: "it was done before"),
      ]
      for event in events { DeploymentLog.note(event, by: logger) }
    }
    #expect(lines.map { $0["level"] } == ["info", "warning", "info", "info", "warning", "warning"])
    #expect(lines.map { $0["job"] } == ["chest-1", "chest-2", "chest-1", "chest-1", nil, nil])
    #expect(lines[5]["reason"] == "it was done before")
  }

  @Test func whatHappensInRoundsIsCounted() {
    let metrics = FederationMetrics()
    var effort = SiteEffort()
    (effort.bytesDown, effort.bytesUp) = (1000, 400)
    let south = Site(index: 1, name: "south", exampleCount: 5)
    let events: [FederationEvent] = [
      .roundStarted(round: 1, of: 2), .asked(.train, round: 1, sites: 3), .worked(site, effort),
      .answered(site, answers: 1), .worked(site, effort), .answered(site, answers: 2),
      .refused(Refusal(site: south, reason: "x")),
    ]
    for event in events.dropLast() { metrics.observe(.progress(job: "chest-1", event)) }
    #expect(metrics.registry.exposition().contains("tessera_open_tasks{job=\"chest-1\"} 1\n"))
    metrics.observe(.progress(job: "chest-1", events[6]))
    // Another job, which goes with all that was counted.
    metrics.observe(.progress(job: "chest-2", events[2]))
    metrics.observe(.jobPaused(job: "chest-2", reason: "no room"))
    #expect(metrics.registry.exposition().contains("tessera_job_paused{job=\"chest-2\"} 1\n"))
    metrics.observe(.jobDeleted(job: "chest-2"))
    #expect(!metrics.registry.exposition().contains("chest-2"))
    let text = metrics.registry.exposition()
    for line in [
      "tessera_open_tasks{job=\"chest-1\"} 0",
      "tessera_model_bytes_total{job=\"chest-1\",site=\"north\",direction=\"down\"} 2000",
      "tessera_model_bytes_total{job=\"chest-1\",site=\"north\",direction=\"up\"} 800",
      "tessera_answers_total{job=\"chest-1\",site=\"north\",outcome=\"accepted\"} 2",
      "tessera_answers_total{job=\"chest-1\",site=\"south\",outcome=\"refused\"} 1",
    ] {
      #expect(text.split(separator: "\n").contains(Substring(line)), "\(line)")
    }
  }

  @Test func jobsAreCountedByTheirStateWhenSomebodyLooks() throws {
    let store = try SQLiteJobStore(at: folder.path.appending("jobs.sqlite"))
    let metrics = FederationMetrics()
    metrics.watchJobs(of: store)
    try store.add(job(.submitted))
    #expect(metrics.registry.exposition().contains("tessera_jobs{state=\"submitted\"} 1\n"))
    try store.update("chest-1") { $0.state = .approved }
    let text = metrics.registry.exposition()
    #expect(text.contains("tessera_jobs{state=\"approved\"} 1\n"))
    #expect(!text.contains("submitted"))
  }
}
