import Foundation
import SystemPackage
import TesseraDeployment
import TesseraTesting
import Testing

@Suite("Copies of runs in a database")
struct RecordReplicaTests {
  let server: TestPostgreSQL
  let address: String
  let folder: TemporaryFolder
  var run: FilePath { folder.path.appending("run") }

  init() throws {
    server = try TestPostgreSQL.shared.get()
    address = try server.database()
    folder = try TemporaryFolder()
    try FileManager.default.createDirectory(
      atPath: run.appending("tensorboard").string,
      withIntermediateDirectories: true
    )
  }

  private func write(_ name: String, _ bytes: [UInt8]) throws {
    try Data(bytes).write(to: URL(filePath: run.appending(name).string))
  }

  private func contents(of folder: FilePath) throws -> [String: [UInt8]] {
    var contents: [String: [UInt8]] = [:]
    let names = FileManager.default.enumerator(atPath: folder.string)?.allObjects ?? []
    for case let name as String in names {
      let path = folder.appending(name)
      var isFolder: ObjCBool = false
      _ = FileManager.default.fileExists(atPath: path.string, isDirectory: &isFolder)
      if !isFolder.boolValue { contents[name] = try self.folder.bytes(of: path) }
    }
    return contents
  }

  private func code(_ body: () throws -> Void) -> DeploymentError.Code? {
    do { try body() } catch { return (error as? DeploymentError)?.code }
    return nil
  }

  private static func noise(_ count: Int, _ seed: UInt8) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ Int(seed) &+ $0 >> 9) }
  }

  @Test("a folder comes back as it was, round after round")
  func rounds() async throws {
    let lease = try await ServerLease.acquire(at: address, as: "one")
    let replica = try RecordReplica(at: address, epoch: lease.epoch)
    var journal: [UInt8] = []
    for round in 1...4 {
      journal += Self.noise(700_001, UInt8(round))
      try write("journal.jsonl", journal)
      try write("run.json", Array("{\"round\": \(round)}".utf8))
      try write("tensorboard/events", [UInt8](repeating: 3, count: round))
      try write("empty", [])
      try write(".state.partial", [1, 2, 3])
      // What a job's files are called is up to who hands it in.
      try write("weights.partial", [1, 2])
      // More than two chunks, and never the same.
      try write("state-a-\(round).safetensors", Self.noise(5_000_001, UInt8(round)))
      if round > 1 {
        try FileManager.default.removeItem(
          atPath: run.appending("state-a-\(round - 1).safetensors").string
        )
      }
      try replica.store(run, of: "job-1")
      // By another, which has seen nothing of it before.
      let other = try RecordReplica(at: address, epoch: nil)
      let restored = folder.path.appending("restored-\(round)")
      try other.restore("job-1", into: restored)
      var expected = try contents(of: run)
      expected[".state.partial"] = nil
      #expect(expected.count == 6)
      #expect(try contents(of: restored) == expected)
    }
    // A file that has got shorter has no chunks left over.
    try write("journal.jsonl", [7])
    try replica.store(run, of: "job-1")
    let restored = folder.path.appending("short")
    try replica.restore("job-1", into: restored)
    #expect(try contents(of: restored)["journal.jsonl"] == [7])
    #expect(
      try server.psql(
        "SELECT count(*) FROM tessera_chunks WHERE path = 'journal.jsonl'",
        in: address
      )
        == "1"
    )
    #expect(folder.names.filter { $0.hasPrefix(".") } == [])
  }

  @Test("what is there already is not written again")
  func unchanged() async throws {
    let lease = try await ServerLease.acquire(at: address, as: "one")
    let replica = try RecordReplica(at: address, epoch: lease.epoch)
    try write("model", Self.noise(6_000_000, 1))
    try write("journal", Self.noise(2 << 20, 2) + [1])
    try replica.store(run, of: "a")
    func versions() throws -> [String] {
      try server.psql(
        "SELECT path || number || ':' || xmin FROM tessera_chunks ORDER BY path, number",
        in: address
      ).split(separator: "\n").map(String.init)
    }
    let before = try versions()
    try replica.store(run, of: "a")
    #expect(try versions() == before)
    // One that has seen nothing of it compares digests.
    try RecordReplica(at: address, epoch: lease.epoch).store(run, of: "a")
    #expect(try versions() == before)
    try write("journal", Self.noise(2 << 20, 2) + [1, 2])
    try replica.store(run, of: "a")
    let after = try versions()
    #expect(after.count == before.count)
    #expect(Set(after).subtracting(before).count == 1)
  }

  @Test("jobs are apart, and only what is named is copied")
  func jobs() async throws {
    let lease = try await ServerLease.acquire(at: address, as: "one")
    let replica = try RecordReplica(at: address, epoch: lease.epoch)
    try write("a", [1])
    try replica.store(run, of: "job-1")
    try write("a", [2])
    try write("tensorboard/events", [4])
    try write("log.jsonl", [5])
    try replica.store(run, of: "job-2", only: ["a", "tensorboard", "roster.json"])
    func restored(_ job: String) throws -> [String: [UInt8]] {
      let target = folder.path.appending(job)
      try replica.restore(job, into: target)
      return try contents(of: target)
    }
    #expect(try restored("job-1") == ["a": [1]])
    #expect(try restored("job-2") == ["a": [2], "tensorboard/events": [4]])
    #expect(code { try replica.restore("job-3", into: "x") } == .notFound)
    #expect(try replica.jobs() == ["job-1", "job-2"])
    try replica.remove("job-1")
    #expect(try replica.jobs() == ["job-2"])
    #expect(try replica.removedJobs() == ["job-1"])
    #expect(try RecordReplica(at: try server.database(), epoch: nil).removedJobs() == [])
    // What was forgotten is stored anew, though the files are the same.
    try replica.store(run, of: "job-1")
    #expect(try replica.jobs() == ["job-1", "job-2"])
  }

  @Test("a copy that was changed is not restored, and nothing half-written is left")
  func altered() async throws {
    let lease = try await ServerLease.acquire(at: address, as: "one")
    let replica = try RecordReplica(at: address, epoch: lease.epoch)
    try write("a", Self.noise(5_000_000, 1))
    try write("b", [1])
    try replica.store(run, of: "job")
    let target = folder.path.appending("restored")
    let changes = [
      "UPDATE tessera_chunks SET content = set_byte(content, 9, get_byte(content, 9) # 1) WHERE number = 1",
      "DELETE FROM tessera_chunks WHERE number = 2",
      "UPDATE tessera_files SET bytes = 4999999 WHERE path = 'a'",
      "DELETE FROM tessera_chunks WHERE path = 'a'; UPDATE tessera_files SET bytes = 0 WHERE path = 'a'",
    ]
    for change in changes {
      try server.psql(change, in: address)
      #expect(code { try replica.restore("job", into: target) } == .altered, "\(change)")
      #expect(folder.names == ["run"])
    }
    // Nor does a name lead elsewhere.
    for name in ["../out", "/tmp/out", "x/../../out", "."] {
      try server.psql("DELETE FROM tessera_files", in: address)
      try server.psql(
        "INSERT INTO tessera_files VALUES ('job', '\(name)', 0, '')",
        in: address
      )
      #expect(code { try replica.restore("job", into: target) } == .cannotRead, "\(name)")
      #expect(folder.names == ["run"])
    }
  }

  @Test("a folder that holds something is left as it is")
  func notEmpty() async throws {
    let lease = try await ServerLease.acquire(at: address, as: "one")
    let replica = try RecordReplica(at: address, epoch: lease.epoch)
    try write("a", [1])
    try replica.store(run, of: "job")
    try write("a", [2])
    #expect(code { try replica.restore("job", into: run) } == .alreadyThere)
    #expect(try contents(of: run) == ["a": [2]])
    let empty = folder.path.appending("empty")
    try FileManager.default.createDirectory(
      atPath: empty.string,
      withIntermediateDirectories: true
    )
    try replica.restore("job", into: empty)
    #expect(try contents(of: empty) == ["a": [1]])
    #expect(
      code { try replica.store(folder.path.appending("none"), of: "job") } == .cannotRead
    )
  }

  @Test("without the lease nothing is stored")
  func noLease() throws {
    try write("a", [1])
    let replica = try RecordReplica(at: address, epoch: 3)
    #expect(code { try replica.store(run, of: "job") } == .notActive)
    #expect(try replica.jobs() == [])
  }
}
