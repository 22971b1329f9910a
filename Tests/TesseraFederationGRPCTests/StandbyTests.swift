import Foundation
import Synchronization
import SystemPackage
import TesseraDeployment
import TesseraFederationGRPC
import Testing

/// A server that dies before any of its writes, and one that takes over from it.
@Suite(.serialized) struct StandbyTests {
  private static let plan = DeployedJobTests.job(rounds: 2)

  private struct Servers {
    let loopback: LoopbackFederation
    let store: SQLiteJobStore
    let copies: FilePath

    init() throws {
      loopback = try LoopbackFederation(sites: 2, withData: true)
      copies = loopback.folder.appending("copies")
      try FileManager.default.createDirectory(
        atPath: copies.string,
        withIntermediateDirectories: true
      )
      store = try SQLiteJobStore(at: loopback.folder.appending("shared.sqlite"))
    }

    /// What a server has on one of two machines.
    func memory(_ machine: String, _ life: Life) -> ServerMemory {
      ServerMemory(
        store: MortalStore(store: store, life: life),
        replica: MortalReplica(copies: copies, life: life),
        folder: loopback.folder.appending(machine)
      )
    }

    /// The first server: it is given a job, and lives as long as it lives.
    func begin(_ life: Life) async throws -> JobDetails {
      try await RunningFederation.run(loopback, memory: memory("one", life)) { federation in
        let folder = try federation.folder("shapes", StandbyTests.plan)
        return try await federation.console { console in
          let job = try await console.submit(folder)
          // It ends with the job, or with the server.
          for try await _ in console.watch(job.id) {}
          return try await console.show(job.id)
        }
      }
    }

    /// The server that takes over, and what it says of the job, if it knows of one.
    func goOn(at machine: String) async throws -> (details: JobDetails?, model: Data?) {
      let memory = memory(machine, Life(writes: .max))
      return try await RunningFederation.run(loopback, memory: memory) { federation in
        try await federation.console { console in
          guard let job = try await console.jobs().first else { return (nil, nil) }
          _ = try await console.end(of: job.id)
          let model = Mutex(Data())
          try? await console.download("model.safetensors", of: job.id) { bytes in
            model.withLock { $0.append(bytes) }
          }
          return (try await console.show(job.id), model.withLock { $0 })
        }
      }
    }
  }

  @Test func whateverAServerWroteLastTheNextGoesOnFromThere() async throws {
    let whole = try Servers()
    let life = Life(writes: .max)
    let undisturbed = try await whole.begin(life)
    #expect(undisturbed.job.state == .finished(.completed))
    #expect(undisturbed.rounds.map(\.round) == [1, 2])
    // Another machine has what the first has made, though it was never told to go on with it.
    let fetched = try await whole.goOn(at: "two")
    #expect(fetched.details?.rounds.map(\.model) == undisturbed.rounds.map(\.model))
    #expect(fetched.model?.isEmpty == false)
    #expect(life.writes > 8)
    for writes in 0..<life.writes {
      let servers = try Servers()
      _ = try? await servers.begin(Life(writes: writes))
      // At another machine, and at the same, which has what was not copied any more.
      let (details, model) = try await servers.goOn(at: writes.isMultiple(of: 2) ? "two" : "one")
      #expect(Set(try servers.store.jobs().map(\.id)) == Set(details.map { [$0.job.id] } ?? []))
      let copies = MortalReplica(copies: servers.copies, life: life)
      #expect(try copies.jobs() == Set(details.map { [$0.job.id] } ?? []), "after \(writes) writes")
      guard let details else {
        // Who handed it in was told that it was not taken.
        #expect(writes < 2)
        continue
      }
      #expect(writes >= 2)
      #expect(details.job.state == .finished(.completed), "after \(writes) writes")
      #expect(
        details.rounds.map(\.model) == undisturbed.rounds.map(\.model),
        "after \(writes) writes"
      )
      #expect(model == fetched.model, "after \(writes) writes")
    }
  }

  @Test func aJobWhoseCopyIsGoneIsOverAndSaysWhy() async throws {
    let servers = try Servers()
    _ = try? await servers.begin(Life(writes: 8))
    let id = try #require(servers.store.jobs().first?.id)
    #expect(try servers.store.job(id)?.state == .running)
    try FileManager.default.removeItem(atPath: servers.copies.appending(id).string)
    let (details, _) = try await servers.goOn(at: "two")
    #expect(details?.job.state.name == "failed")
    #expect(details?.job.state.reason?.contains("there is no copy") == true)
  }

  @Test func whatWasRemovedAtOneServerIsGoneAtTheOther() async throws {
    let servers = try Servers()
    let job = try await servers.begin(Life(writes: .max)).job
    let first = servers.loopback.folder.appending("one").appending(job.id).string
    #expect(FileManager.default.fileExists(atPath: first))
    // Jobs of a server's own store lie beside, and stay.
    let own = servers.loopback.folder.appending("one").appending("own").appending("run").string
    try FileManager.default.createDirectory(atPath: own, withIntermediateDirectories: true)
    let alive = Life(writes: .max)
    try await RunningFederation.run(servers.loopback, memory: servers.memory("two", alive)) {
      try await $0.console { try await $0.delete(job.id) }
    }
    #expect(try servers.store.jobs() == [])
    #expect(try MortalReplica(copies: servers.copies, life: alive).jobs() == [])
    _ = try await servers.goOn(at: "one")
    #expect(!FileManager.default.fileExists(atPath: first))
    #expect(FileManager.default.fileExists(atPath: own))
  }
}
