import Foundation
import Synchronization
import SystemPackage
import TesseraCore
import TesseraDeployment
import TesseraFederation
import TesseraFederationGRPC
import TesseraProvisioning
import TesseraRun
import Testing

/// Jobs from a user's console to the sites and back, each part as its program runs it.
@Suite(.serialized) struct DeployedJobTests {
  static func job(_ name: String = "shapes", rounds: Int = 3, rest: String = "") -> String {
    """
    name: \(name)
    seed: 11
    workflow: {type: fedavg, rounds: \(rounds)}
    model: linear
    executor: {type: classifier, epochs: 1, batch: 4}
    minimum_sites: 2
    \(rest)
    """
  }

  /// A job that lasts until somebody ends it.
  static let endless = job("endless", rounds: 10_000)

  @Test func jobsAreListedByPagesTheNewestFirst() async throws {
    try await RunningFederation.run { federation in
      let folder = try federation.folder("shapes", Self.job(rounds: 1))
      try await federation.console { console in
        var ids: [String] = []
        for _ in 0..<3 {
          ids.append(try await console.submit(folder).id)
          _ = try await console.end(of: ids[ids.count - 1])
        }
        #expect(try await console.jobs().map(\.id) == ids.reversed())
        #expect(try await console.jobs(limit: 2).map(\.id) == [ids[2], ids[1]])
        #expect(try await console.jobs(limit: 2, before: ids[1]).map(\.id) == [ids[0]])
        #expect(try await console.jobs(before: ids[0]).isEmpty)
        #expect(try await console.jobs(submitter: "mia").isEmpty)
        #expect(try await console.jobs(state: .completed, limit: 1).map(\.id) == [ids[2]])
        await #expect(throws: DeploymentError.self) { try await console.jobs(before: "shapes-x") }
        try await console.delete(ids[1])
        #expect(try await console.jobs().map(\.id) == [ids[2], ids[0]])
        await #expect(throws: DeploymentError.self) { try await console.show(ids[1]) }
      }
    }
  }

  /// A farewell that went with a connection that was dying, as a site's kill can leave it.
  @Test func whatASiteHasKeptOfAJobThatIsOverGoesWhenItComes() async throws {
    let loopback = try LoopbackFederation(sites: 2, withData: true)
    let left = loopback.folder.appending("kits/site-1/work/jobs/shapes-0a1b2c")
    try FileManager.default.createDirectory(
      atPath: left.appending("files").string,
      withIntermediateDirectories: true
    )
    try await RunningFederation.run(loopback) { federation in
      try await federation.console(as: "root") { console in
        while try await console.sites().contains(where: { !$0.isConnected }) {}
        while try await console.site("site-1").description?.jobs != [] {}
        // One that goes on stays.
        let job = try await console.submit(federation.folder("endless", Self.endless))
        for try await news in console.watch(job.id) {
          let event = news.event
          guard case .roundFinished(let round) = event, round.round == 2 else { continue }
          #expect(try await console.site("site-1").description?.jobs == [job.id])
          _ = try await console.abort(job.id)
        }
        while try await console.site("site-1").description?.jobs != [] {}
      }
    }
    let rest = try FileManager.default.contentsOfDirectory(
      atPath: left.removingLastComponent().string
    )
    #expect(rest.isEmpty, "\(rest)")
  }

  /// What a site remembers of rounds that are saved is not asked for again.
  @Test func aSiteKeepsNoMoreOfItsMemoryThanARoundThatIsRepeatedNeeds() async throws {
    let loopback = try LoopbackFederation(sites: 2, withData: true)
    try await RunningFederation.run(loopback) { federation in
      let text = Self.job(rounds: 8).replacingOccurrences(
        of: "type: fedavg",
        with: "type: scaffold"
      ).replacingOccurrences(of: "epochs: 1", with: "epochs: 1, algorithm: scaffold")
      let folder = try federation.folder("shapes", text)
      try await federation.console { console in
        let job = try await console.submit(folder)
        let largest = Mutex(0)
        let place = loopback.folder.appending("kits/site-1/work/jobs/\(job.id)/memory").string
        for try await news in console.watch(job.id) {
          let event = news.event
          guard case .roundFinished = event else { continue }
          let count = try? FileManager.default.contentsOfDirectory(atPath: place).count
          largest.withLock { $0 = max($0, count ?? 0) }
        }
        let end = try await console.show(job.id)
        #expect(end.job.state == .finished(.completed), "\(end.job.state)")
        #expect((1...3).contains(largest.withLock { $0 }), "\(largest.withLock { $0 })")
      }
    }
  }

  @Test func aJobHasTheBitsOfItsSimulation() async throws {
    let digest = try await RunningFederation.run { federation in
      let folder = try federation.folder("shapes", Self.job())
      return try await federation.console { console in
        let job = try await console.submit(folder)
        #expect(job.submitter.name == "ada" && job.submitter.role == .lead)
        let rounds = Mutex<[Int]>([])
        let states = Mutex<[String]>([])
        for try await news in console.watch(job.id) {
          switch news.event {
          case .roundFinished(let round): rounds.withLock { $0.append(round.round) }
          case .changed(let job): states.withLock { $0.append(job.state.name) }
          default: break
          }
        }
        #expect(rounds.withLock { $0 } == [1, 2, 3])
        #expect(states.withLock { $0.last } == "completed")
        let files = try await console.files(of: job.id)
        #expect(files.map(\.path).contains("report.html"))
        let model = Mutex(Data())
        try await console.download("model.safetensors", of: job.id) { bytes in
          model.withLock { $0.append(bytes) }
        }
        #expect(
          model.withLock { $0.count } == files.first { $0.path == "model.safetensors" }?.bytes
        )
        return try await console.show(job.id).rounds.last?.model
      }
    }
    // The same data and the same seed, in one process.
    let loopback = try LoopbackFederation(sites: 2, withData: true)
    let folder = loopback.folder.appending("simulated")
    try FileManager.default.createDirectory(
      atPath: folder.string,
      withIntermediateDirectories: true
    )
    try Self.job().write(
      toFile: folder.appending("job.yml").string,
      atomically: true,
      encoding: .utf8
    )
    let sites = loopback.sites.map { "\($0.name): \(loopback.folder)/data-\($0.name)" }
    try "sites: {\(sites.joined(separator: ", "))}\n".write(
      toFile: folder.appending("data.yml").string,
      atomically: true,
      encoding: .utf8
    )
    let run = try JobRun(Job(contentsOf: folder), lanes: 1)
    let record = try RunRecord.create(
      at: loopback.folder.appending("run"),
      try run.newManifest()
    )
    let manifest = try await run.run(in: record)
    #expect(digest != nil && manifest.trainings[0].rounds.last?.model == digest)
  }

  @Test func anAbortEndsAJobAtOnceEverywhere() async throws {
    try await RunningFederation.run { federation in
      let folder = try federation.folder("endless", Self.endless)
      try await federation.console { console in
        let job = try await console.submit(folder)
        for try await news in console.watch(job.id) {
          guard case .roundFinished(let round) = news.event, round.round == 2 else { continue }
          let ended = try await console.abort(job.id)
          #expect(ended.state == .finished(.aborted(by: "ada")))
        }
        // What its rounds have made is there; the sites have forgotten it.
        let files = try await console.files(of: job.id).map(\.path)
        #expect(files.contains("run.json") && files.contains("model.safetensors"))
        await #expect(throws: DeploymentError.self) { try await console.abort(job.id) }
        try await console.delete(job.id)
        let left = try await console.jobs()
        #expect(left.isEmpty)
        let site = try await console.site("site-1")
        #expect(site.description?.jobs == [])
      }
    }
  }

  @Test func severalJobsRunAtOnceAndACopyIsSignedByWhoMadeIt() async throws {
    try await RunningFederation.run { federation in
      let folder = try federation.folder("shapes", Self.job())
      let first = try await federation.console { try await $0.submit(folder) }
      let copy = try await federation.console(as: "root") { try await $0.clone(first.id) }
      #expect(copy.clonedFrom == first.id && copy.submitter.name == "root")
      let ends = try await federation.console { console in
        (try await console.end(of: first.id), try await console.end(of: copy.id))
      }
      #expect(ends.0.state == .finished(.completed) && ends.1.state == .finished(.completed))
    }
  }

  @Test func whoMayNotIsRefusedByName() async throws {
    try await RunningFederation.run { federation in
      let folder = try federation.folder("shapes", Self.job())
      let refused = await #expect(throws: DeploymentError.self) {
        try await federation.console(as: "mia") { try await $0.submit(folder) }
      }
      #expect(refused?.code == .notAllowed)
      #expect(refused?.message.contains("mia") == true)
      let job = try await federation.console { try await $0.submit(folder) }
      // A member may watch, and no more.
      try await federation.console(as: "mia") { console in
        let end = try await console.end(of: job.id)
        #expect(end.state == .finished(.completed))
        await #expect(throws: DeploymentError.self) { try await console.delete(job.id) }
        await #expect(throws: DeploymentError.self) { try await console.files(of: job.id) }
        await #expect(throws: DeploymentError.self) {
          try await console.set("site-1", isDisabled: true)
        }
      }
      // A site is no user.
      await #expect(throws: ProvisioningError.self) {
        try await federation.console(as: "site-1") { try await $0.jobs() }
      }
    }
  }

  @Test func aSiteDecidesForItselfAndTheServerSaysWhy() async throws {
    let loopback = try LoopbackFederation(sites: 2, withData: true)
    let policy = loopback.folder.appending("kits/site-2/local/policy.yml")
    try "rights: {project-admin: {submit: any}}\n".write(
      toFile: policy.string,
      atomically: true,
      encoding: .utf8
    )
    let declined = try await RunningFederation.run(loopback) { federation -> String? in
      let folder = try federation.folder("shapes", Self.job())
      return try await federation.console { console -> String? in
        let end = try await console.end(of: console.submit(folder).id)
        guard case .finished(.failed(let reason)) = end.state else {
          Issue.record("it is \(end.state.name)")
          return nil
        }
        #expect(reason.contains("site-2") && reason.contains("submit"))
        return end.id
      }
    }
    // It is kept with the job: who declined, and why.
    let id = try #require(declined)
    try await RunningFederation.run(loopback) { federation in
      try await federation.console { console in
        let declined = try await console.show(id).declined
        #expect(Array(declined.keys) == ["site-2"])
        #expect(declined["site-2"]?.contains("submit") == true)
      }
    }
  }

  /// Neither by error nor by malice: what it says of a job holds as long as the job is kept.
  @Test func noSiteHasTheServerKeepAJobForEver() async throws {
    let loopback = try LoopbackFederation(sites: 2, withData: true)
    try """
    rights:
      lead: {submit: any, manage: none}
      project-admin: {manage: none, view: none}
      member: {manage: none}
    """.write(
      toFile: loopback.folder.appending("kits/site-2/local/policy.yml").string,
      atomically: true,
      encoding: .utf8
    )
    try """
    rights:
      lead: {submit: any, manage: own-submission, view: any}
      project-admin: {manage: any, view: any}
      member: {manage: any, view: any}
    """.write(
      toFile: loopback.folder.appending("kits/server/local/policy.yml").string,
      atomically: true,
      encoding: .utf8
    )
    try await RunningFederation.run(loopback) { federation in
      let folder = try federation.folder("shapes", Self.job(rounds: 1))
      let jobs = try await federation.console { ada in
        var jobs: [String] = []
        for _ in 0..<2 {
          let job = try await ada.submit(folder)
          #expect(try await ada.end(of: job.id).state == .finished(.completed))
          jobs.append(job.id)
        }
        return jobs
      }
      try await federation.console(as: "mia") { mia in
        for job in jobs {
          let error = await #expect(throws: DeploymentError.self) { try await mia.delete(job) }
          #expect(error?.message.contains("site-2 allows that to no member") == true)
        }
      }
      try await federation.console { try await $0.delete(jobs[0]) }
      try await federation.console(as: "root") { try await $0.delete(jobs[1]) }
      let rest = try await federation.console { try await $0.jobs() }
      #expect(rest.isEmpty)
    }
  }

  @Test func aSiteDecidesWhoHasWhatTheServerHoldsOfIt() async throws {
    let loopback = try LoopbackFederation(sites: 2, withData: true)
    try """
    rights:
      lead: {submit: any, clone: none, download: [own-organisation]}
      project-admin: {download: none}
      member: {view: own-submission}
    """.write(
      toFile: loopback.folder.appending("kits/site-2/local/policy.yml").string,
      atomically: true,
      encoding: .utf8
    )
    @Sendable func refusal<Value: Sendable>(_ body: () async throws -> Value) async -> String? {
      do { _ = try await body() } catch { return "\(error)" }
      return nil
    }
    let id = try await RunningFederation.run(loopback) { federation in
      let folder = try federation.folder("shapes", Self.job(rounds: 1))
      return try await federation.console { console in
        let job = try await console.submit(folder)
        #expect(try await console.end(of: job.id).state == .finished(.completed))
        return job.id
      }
    }
    // It is kept with the job.
    try await RunningFederation.run(loopback) { federation in
      try await federation.console { ada in
        #expect(try await ada.show(id).rights == [.submit, .manage, .download, .view])
        let refused = await refusal { try await ada.clone(id) }
        #expect(refused?.contains("the policy of site-2 allows that to no lead") == true)
        _ = try await ada.download(id, into: loopback.folder.appending("ada"))
      }
      try await federation.console(as: "root") { root in
        let rights = try await root.show(id).rights
        #expect(rights.contains(.manage) && !rights.contains(.download))
        let refused = await refusal {
          try await root.download(id, into: loopback.folder.appending("root"))
        }
        #expect(refused?.contains("site-2") == true)
        let site = try await root.site("site-2")
        #expect(site.description != nil)
      }
      try await federation.console(as: "mia") { mia in
        #expect(try await mia.jobs().isEmpty)
        let missing = await refusal { try await mia.show(id) }
        #expect(missing == "there is no job \(id)")
        let refused = await refusal { try await mia.site("site-2") }
        #expect(refused?.contains("mia (member, hub) may not view site-2") == true)
        #expect(try await mia.site("site-1").description != nil)
        let sites = try await mia.sites()
        #expect(sites.map { $0.description == nil } == [false, true])
        #expect(sites.allSatisfy { $0.description?.rights == nil })
      }
    }
  }

  @Test func aJobWaitsForItsSitesAndSaysSo() async throws {
    try await RunningFederation.run { federation in
      let folder = try federation.folder("shapes", Self.job())
      try await federation.console(as: "root") { console in
        try await console.set("site-2", isDisabled: true)
        let job = try await console.submit(folder)
        #expect(job.waiting?.contains("site-2") == true)
        for try await news in console.watch(job.id) {
          guard case .waiting(let reason, _) = news.event else { continue }
          #expect(reason.contains("site-2"))
          try await console.set("site-2", isDisabled: false)
        }
        let details = try await console.show(job.id)
        #expect(details.job.state == .finished(.completed))
        let never = try federation.folder(
          "never",
          Self.job("never", rest: "mandatory_sites: [atlantis]")
        )
        let lost = try await console.end(of: console.submit(never).id)
        #expect(lost.state.name == "abandoned" && lost.state.reason?.contains("atlantis") == true)
      }
    }
  }

  @Test func aServerThatIsStartedAgainGoesOnWithItsJobs() async throws {
    let loopback = try LoopbackFederation(sites: 2, withData: true)
    let id = try await RunningFederation.run(loopback) { federation in
      let folder = try federation.folder("endless", Self.job("long", rounds: 40))
      return try await federation.console { console in
        let job = try await console.submit(folder)
        for try await news in console.watch(job.id) {
          if case .roundFinished(let round) = news.event, round.round == 3 { break }
        }
        return job.id
      }
    }
    let rounds = try await RunningFederation.run(loopback) { federation in
      try await federation.console { console in
        let end = try await console.end(of: id)
        #expect(end.state == .finished(.completed))
        return try await console.show(id).rounds.map(\.round)
      }
    }
    #expect(rounds == Array(1...40))
  }
}
