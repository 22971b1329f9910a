import Foundation
import Synchronization
import SystemPackage
import TesseraCore
import TesseraDeployment
import TesseraFederation
import TesseraFederationGRPC
import TesseraProvisioning
import Testing

/// What the logs of a server and its sites tell of a job, over TLS on loopback.
@Suite(.serialized) struct AuditedJobTests {
  /// Runs a job at two sites, the second of which has filters and a budget of its own.
  private func run(_ loopback: LoopbackFederation, privacy: String = "") async throws {
    let policy = loopback.folder.appending("kits/site-2/local/policy.yml")
    try """
    rights: {lead: {submit: any}}
    filters:
      - {type: clip-norm, norm: 1}
      - {type: gaussian-noise, noise_multiplier: 20, clip_norm: 1}
    \(privacy)
    """.write(toFile: policy.string, atomically: true, encoding: .utf8)
    try await RunningFederation.run(loopback, isAudited: true) { federation in
      let folder = try federation.folder("shapes", DeployedJobTests.job())
      try await federation.console { console in
        let end = try await console.end(of: try await console.submit(folder).id)
        #expect(end.state == .finished(.completed), "\(end.state)")
      }
    }
  }

  private func path(_ name: String, in loopback: LoopbackFederation) -> FilePath {
    AuditLog.path(of: loopback.folder.appending("kits").appending(name))
  }

  private func events(_ name: String, in loopback: LoopbackFederation) throws -> [AuditEvent] {
    var events: [AuditEvent] = []
    try AuditLog.read(at: path(name, in: loopback)) { _, entry in events.append(entry.event) }
    return events
  }

  @Test func anAbortThatCannotBeKeptIsNotedOnce() async throws {
    let loopback = try LoopbackFederation(sites: 2, withData: true)
    let store = try SQLiteJobStore(at: loopback.folder.appending("full.sqlite"))
    let full = FullStore(store)
    let memory = ServerMemory(store: full)
    try await RunningFederation.run(loopback, memory: memory, isAudited: true) { federation in
      // A job that waits for a site that is not there.
      let plan = DeployedJobTests.job().replacing("minimum_sites: 2", with: "minimum_sites: 3")
      let folder = try federation.folder("shapes", plan)
      try await federation.console { console in
        let job = try await console.submit(folder)
        let ada = try #require(try store.job(job.id)?.submitter)
        for _ in 0..<3 {
          let error = await #expect(throws: DeploymentError.self) {
            try await federation.jobs.abort(job.id, by: ada)
          }
          #expect(error?.code == .cannotWrite)
        }
        full.makeRoom()
        let ended = try await federation.jobs.abort(job.id, by: ada)
        #expect(ended.state == .finished(.aborted(by: "ada")))
      }
    }
    let ends = try events("server", in: loopback).count { event in
      if case .jobChanged(_, .finished, _) = event { true } else { false }
    }
    #expect(ends == 1)
  }

  @Test func theServersLogAndTheSitesTellTheSame() async throws {
    let loopback = try LoopbackFederation(sites: 2, withData: true)
    try await run(loopback)
    for site in ["site-1", "site-2"] {
      let comparison = try AuditLog.compare(
        servers: [path("server", in: loopback)],
        site: path(site, in: loopback),
        of: site
      )
      #expect(comparison.agrees, "\(comparison.differences)")
      // Two that prepare the job, three rounds.
      #expect(comparison.tasks == 5 && comparison.contributions == 5)
      #expect(comparison.notReceived == 0 && comparison.notCounted == 0)
    }
    // Each answer stands behind its task, and before the end of the job.
    let server = try events("server", in: loopback)
    var given: Set<AuditedTask> = []
    var isOver = false
    for event in server {
      switch event {
      case .taskGiven(let task, let digest):
        #expect(digest.count == 64)
        given.insert(task)
      case .contributionAccepted(let task, _, _):
        #expect(given.contains(task) && !isOver)
      case .jobChanged(_, .finished, _): isOver = true
      default: break
      }
    }
    #expect(given.count == 10 && isOver)
    for name in ["server", "site-1", "site-2"] {
      let report = try AuditLog.verify(
        at: path(name, in: loopback),
        keys: AuditKeys(of: loopback.kit("server"))
      )
      #expect(report.isWhole, "\(report.problems)")
    }
  }

  @Test func aSitesLogTellsWhichFiltersAnAnswerPassedAndWhatItCost() async throws {
    let loopback = try LoopbackFederation(sites: 2, withData: true)
    try await run(loopback, privacy: "privacy: {epsilon: 1000, delta: 1e-5}")
    let events = try events("site-2", in: loopback)
    var filters: [String: [String]] = [:]
    var charges: [String] = []
    var left: Double?
    for event in events {
      switch event {
      case .filterApplied(let task, let filter, let owner, let passage):
        filters["\(task.step)", default: []].append(
          "\(filter) \(owner) \(passage.map { "\($0)" } ?? "")"
        )
        // Before the answer leaves.
        #expect(!charges.contains("\(task.step) left"))
      case .budgetSpent(let task, let epsilon, let rest, let delta):
        #expect(epsilon > 0 && delta == 1e-5 && rest < left ?? 1000)
        left = rest
        charges.append("\(task.step)")
      case .contributionAccepted(let task, _, _) where task.step > 0:
        #expect(charges.last == "\(task.step)")
        charges.append("\(task.step) left")
      default: break
      }
    }
    let expected = ["clip-norm site answer", "gaussian-noise site answer"]
    #expect(filters == ["1": expected, "2": expected, "3": expected])
    #expect(charges == ["1", "1 left", "2", "2 left", "3", "3 left"])
    #expect(
      try self.events("site-1", in: loopback).allSatisfy { event in
        if case .filterApplied = event { false } else { true }
      }
    )
  }

  @Test func whatASiteRefusesStandsInBothLogs() async throws {
    let loopback = try LoopbackFederation(sites: 2, withData: true)
    let policy = loopback.folder.appending("kits/site-2/local/policy.yml")
    try "rights: {lead: {submit: any}}\nprivacy: {epsilon: 0.001, delta: 1e-5}\n".write(
      toFile: policy.string,
      atomically: true,
      encoding: .utf8
    )
    try await RunningFederation.run(loopback, isAudited: true) { federation in
      let folder = try federation.folder("shapes", DeployedJobTests.job(rounds: 1))
      try await federation.console { console in
        let end = try await console.end(of: try await console.submit(folder).id)
        guard case .finished(.failed) = end.state else {
          Issue.record("\(end.state)")
          return
        }
      }
    }
    let site = try events("site-2", in: loopback)
    #expect(
      site.contains { if case .budgetRefused(let task, _) = $0 { task.step == 1 } else { false } }
    )
    for events in [site, try events("server", in: loopback)] {
      #expect(
        events.contains { event in
          guard case .contributionRefused(let task, nil, let reason) = event else { return false }
          return task.step == 1 && task.site == "site-2" && !reason.isEmpty
        }
      )
    }
    let comparison = try AuditLog.compare(
      servers: [path("server", in: loopback)],
      site: path("site-2", in: loopback),
      of: "site-2"
    )
    #expect(comparison.agrees && comparison.contributions == 2)
  }

  /// Hears what travels.
  private final class Listener: TransferObserver {
    struct State: Sendable {
      var given: [String] = []
      var answers: [String] = []
      var moved: [TransferProgress] = []
      var wanted = true
    }
    let state = Mutex(State())
    func willSend(_ tasks: [(id: TaskID, task: AnnouncedTask)]) {
      state.withLock { state in
        state.given += tasks.map { "\($0.task.site.name) \($0.task.parcel?.digest ?? "none")" }
      }
    }
    func didReceive(_ answer: Parcel, to id: TaskID, from site: Site) {
      state.withLock { $0.answers.append("\(site.name) \(answer.digest)") }
    }
    var wantsProgress: Bool { state.withLock { $0.wanted } }
    func moved(_ progress: TransferProgress, of id: TaskID) {
      state.withLock { $0.moved.append(progress) }
    }
  }

  @Test(arguments: [true, false])
  func transfersAreSeenChunkByChunkByWhoWantsTo(isWatched: Bool) async throws {
    let loopback = try LoopbackFederation(sites: 2)
    let server = try loopback.server()
    let listener = Listener()
    listener.state.withLock { $0.wanted = isWatched }
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await server.run() }
      let port = try await server.port
      for site in loopback.sites {
        let site = try loopback.site(site.name, port: port, Drawing())
        group.addTask { try await site.run() }
      }
      let federation = Federation(
        workflow: try FedAvg(rounds: 1),
        transport: server.transport(of: "job", to: loopback.sites, observer: listener),
        key: RandomKey(seed: 7)
      )
      let model = try ModelState([(name: "w", tensor: Tensor.zeros([1_500_000]))])
      _ = try await federation.run(from: WorkflowState(model: model))
      group.cancelAll()
    }
    let state = listener.state.withLock { $0 }
    #expect(Set(state.given).count == 2 && Set(state.answers).count == 2)
    guard isWatched else {
      #expect(state.moved.isEmpty)
      return
    }
    for site in ["site-1", "site-2"] {
      for direction in [TransferProgress.Direction.down, .up] {
        let bytes = state.moved.filter { $0.site == site && $0.direction == direction }.map(\.bytes)
        // The last chunk of an answer is no progress of it, but its arrival.
        #expect(bytes == bytes.sorted() && bytes.count >= 5, "\(site) \(direction) \(bytes)")
        #expect(bytes.first == 1 << 20)
        if direction == .down { #expect(bytes.last == 6_000_000) }
      }
    }
    #expect(state.moved.allSatisfy { $0.total == 6_000_000 })
  }

  @Test func whoWatchesAJobSeesWhatTravels() async throws {
    let seen = try await RunningFederation.run { federation in
      let text = DeployedJobTests.job("large", rounds: 1)
        .replacingOccurrences(of: "model: linear", with: "model: resnet18")
      let folder = try federation.folder("large", text)
      return try await federation.console { console in
        let job = try await console.submit(folder)
        var pictures: [[JobEvent.Transfer]] = []
        let start = ContinuousClock.now
        for try await news in console.watch(job.id) {
          if case .transferring(let transfers) = news.event { pictures.append(transfers) }
        }
        // Four a second, the end of what was seen, and one at the beginning.
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        #expect(Double(pictures.count) <= seconds * 4 + 6)
        #expect(try await console.show(job.id).job.state == .finished(.completed))
        return pictures
      }
    }
    let all = seen.flatMap { $0 }
    for direction in [TransferProgress.Direction.down, .up] {
      #expect(all.contains { $0.direction == direction && $0.total > 40_000_000 })
    }
    #expect(all.allSatisfy { $0.bytes > 0 && $0.bytes <= $0.total && $0.site.hasPrefix("site-") })
    #expect(all.contains { ($0.bytesPerSecond ?? 0) > 0 })
    for picture in seen {
      #expect(Set(picture.map { "\($0.site) \($0.direction)" }).count == picture.count)
    }
  }

  @Test func whatCannotBeNotedIsNotSent() async throws {
    struct Refusing: TransferObserver {
      struct Full: Error {}
      func willSend(_ tasks: [(id: TaskID, task: AnnouncedTask)]) throws { throw Full() }
      func didReceive(_ answer: Parcel, to id: TaskID, from site: Site) {}
      var wantsProgress: Bool { false }
      func moved(_ progress: TransferProgress, of id: TaskID) {}
    }
    let loopback = try LoopbackFederation(sites: 2)
    let federation = Federation(
      workflow: try FedAvg(rounds: 1),
      transport: try loopback.server().transport(
        of: "job",
        to: loopback.sites,
        observer: Refusing()
      ),
      key: RandomKey(seed: 7)
    )
    let model = try ModelState([(name: "w", tensor: Tensor.zeros([10]))])
    let error = await #expect(throws: FederationError.self) {
      try await federation.run(from: WorkflowState(model: model))
    }
    #expect(error?.code == .tooFewSites)
  }
}
