import Foundation
import SystemPackage
import TesseraDeployment
import TesseraTesting
import Testing

@Suite("Jobs in a file")
struct SQLiteJobStoreTests {
  let folder: TemporaryFolder
  var path: FilePath { folder.path.appending("jobs.sqlite") }

  init() throws { folder = try TemporaryFolder() }

  private func failure(_ body: () throws -> Void) -> DeploymentError? {
    do { try body() } catch { return error as? DeploymentError }
    return nil
  }

  @Test("what every store does")
  func laws() throws {
    try JobStoreLaws.hold { try SQLiteJobStore(at: path) }
  }

  @Test("closed, it is one file")
  func oneFile() throws {
    do {
      let store = try SQLiteJobStore(at: path)
      try store.add(JobStoreLaws.job("a"))
    }
    #expect(folder.names == ["jobs.sqlite", "jobs.sqlite.lock"])
  }

  @Test("one at a time opens it")
  func inUse() throws {
    var store: SQLiteJobStore? = try SQLiteJobStore(at: path)
    let error = try #require(failure { _ = try SQLiteJobStore(at: path) })
    #expect(error.code == .unavailable)
    #expect(error.message.contains("\(path) is in use by another server"))
    withExtendedLifetime(store) {}
    store = nil
    _ = try SQLiteJobStore(at: path)
  }

  @Test("another process cannot open it, until the first is gone")
  func inUseByAnotherProcess() async throws {
    let store = try SQLiteJobStore(at: path)
    try await #require(processExitsWith: .exitCode(7)) { [path = path.string as String] in
      do { _ = try SQLiteJobStore(at: FilePath(path)) } catch let error as DeploymentError {
        exit(error.code == .unavailable ? 7 : 1)
      }
    }
    withExtendedLifetime(store) {}
  }

  /// A process adds jobs, notes each that was added in another file, and is killed by a thread of its own while it adds more.
  @Test("a kill at any moment leaves all jobs that were added", arguments: 0..<12)
  func killed(attempt: Int) async throws {
    let noted = folder.path.appending("noted")
    await #expect(processExitsWith: .signal(SIGKILL)) {
      [path = path.string as String, noted = noted.string as String, attempt = attempt as Int] in
      let store = try SQLiteJobStore(at: FilePath(path))
      let notes = try FileDescriptor.open(
        FilePath(noted),
        .writeOnly,
        options: [.create, .append],
        permissions: [.ownerReadWrite]
      )
      let start = DispatchSemaphore(value: 0)
      let killer = Thread {
        start.wait()
        // Not a time but a distance from what the other thread does, different at each attempt.
        var steps = attempt * 15_000
        while steps > 0 { steps -= 1 }
        kill(getpid(), SIGKILL)
      }
      killer.start()
      var number = 0
      while true {
        try store.add(JobStoreLaws.job("job-\(number)"))
        if number > 0 { try store.update("job-\(number - 1)") { $0.state = .approved } }
        try notes.writeAll("\(number)\n".utf8)
        if number == 3 + attempt { start.signal() }
        number += 1
      }
    }
    let text = String(decoding: try folder.bytes(of: noted), as: UTF8.self)
    let count = text.split(separator: "\n").count
    #expect(count >= 4 + attempt)
    let store = try SQLiteJobStore(at: path)
    let jobs = try store.jobs()
    #expect((count...count + 1).contains(jobs.count))
    #expect(jobs.map(\.id) == jobs.indices.map { "job-\($0)" })
    #expect(jobs.prefix(count - 1).allSatisfy { $0.state == .approved })
    #expect(jobs.last?.state == .submitted)
  }

  @Test("whatever of the log has reached the disk, what is there is what was there at some time")
  func tornLog() throws {
    let store = try SQLiteJobStore(at: path)
    var states: [[JobRecord]] = [[]]
    for number in 0..<4 {
      try store.add(JobStoreLaws.job("job-\(number)"))
      states.append(try store.jobs())
      try store.update("job-\(number)") { $0.state = .approved }
      states.append(try store.jobs())
    }
    // As after a power cut: the file and the beginning of the log.
    let (file, log) = (
      try folder.bytes(of: path), try folder.bytes(of: FilePath(path.string + "-wal"))
    )
    #expect(log.count > 8 * 4096)
    var seen: Set<Int> = []
    for length in Array(stride(from: 0, to: log.count, by: 1024)) + [log.count] {
      let copy = try TemporaryFolder()
      _ = try copy.file("jobs.sqlite", file)
      _ = try copy.file("jobs.sqlite-wal", Array(log.prefix(length)))
      let jobs = try SQLiteJobStore(at: copy.path.appending("jobs.sqlite")).jobs()
      let index = try #require(states.firstIndex(of: jobs), "\(length) bytes of the log")
      seen.insert(index)
    }
    // Most of them were there, the last among them.
    #expect(seen.count > 4 && seen.contains(states.count - 1))
    withExtendedLifetime(store) {}
  }

  @Test("a damaged file is an error that names it, or what it says is right")
  func damaged() throws {
    var jobs: [JobRecord] = []
    do {
      let store = try SQLiteJobStore(at: path)
      for number in 0..<20 { try store.add(JobStoreLaws.job("job-\(number)")) }
      jobs = try store.jobs()
    }
    let bytes = try folder.bytes(of: path)
    var refused = 0
    for position in stride(from: 0, to: bytes.count, by: 61) {
      var damaged = bytes
      damaged[position] ^= 0x81
      let copy = try TemporaryFolder()
      let file = try copy.file("jobs.sqlite", damaged)
      do {
        _ = try SQLiteJobStore(at: file).jobs()
      } catch let error as DeploymentError {
        #expect(error.message.contains(file.string))
        #expect(!error.message.contains("ada@hub"))
        refused += 1
      }
    }
    #expect(refused > 10)
    #expect(jobs.count == 20)
  }

  @Test("what is no store is left as it is", arguments: ["no database", ""])
  func other(text: String) throws {
    let bytes = Array(String(repeating: text, count: 400).utf8)
    let file = try folder.file("jobs.sqlite", bytes)
    let error = failure { _ = try SQLiteJobStore(at: file) }
    // An empty file is a new database.
    #expect(error?.code == (text.isEmpty ? nil : .cannotRead))
    if !text.isEmpty {
      #expect(error?.message.contains(file.string) == true)
      #expect(try folder.bytes(of: file) == bytes)
    }
  }

  @Test("a folder that is not there is an error that names the file")
  func noFolder() throws {
    let file = folder.path.appending("nowhere").appending("jobs.sqlite")
    let error = try #require(failure { _ = try SQLiteJobStore(at: file) })
    #expect(error.code == .cannotWrite)
    #expect(error.message.contains(file.string))
  }

  @Test("a store of a newer version is not touched")
  func newer() throws {
    do { _ = try SQLiteJobStore(at: path) }
    try sqlite("INSERT INTO grdb_migrations VALUES ('2: something new')")
    let error = try #require(failure { _ = try SQLiteJobStore(at: path) })
    #expect(error.code == .cannotRead)
    #expect(error.message.contains("\(path) was written by a newer version of Tessera"))
  }

  @Test("a database of something else is not touched")
  func foreign() throws {
    try sqlite("CREATE TABLE patients (name TEXT)")
    let error = try #require(failure { _ = try SQLiteJobStore(at: path) })
    #expect(error.code == .cannotRead)
    #expect(error.message.contains("not of a server's jobs"))
  }

  @Test("a record that was changed by hand is an error that names the job")
  func badRecord() throws {
    do { try SQLiteJobStore(at: path).add(JobStoreLaws.job("a")) }
    try sqlite("UPDATE jobs SET record = '{\"id\": \"a\"}'")
    let store = try SQLiteJobStore(at: path)
    let error = try #require(failure { _ = try store.jobs() })
    #expect(error.code == .cannotRead)
    #expect(error.message.contains("\(path) is damaged: the record of job a"))
    #expect(failure { try store.update("a") { $0.name = "" } }?.code == .cannotRead)
  }

  @Test(
    "a full disk is an error that names the file, and nothing is lost",
    .enabled(if: SmallDisk.isPossible, "only root can mount a small one, where it may")
  )
  func fullDisk() throws {
    let small = folder.path.appending("small")
    try FileManager.default.createDirectory(
      atPath: small.string,
      withIntermediateDirectories: true
    )
    try run("/usr/bin/mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", small.string)
    defer { try? run("/usr/bin/umount", "-l", small.string) }
    let file = small.appending("jobs.sqlite")
    let store = try SQLiteJobStore(at: file)
    var added = 0
    let error = failure {
      while added < 10_000 {
        try store.add(JobStoreLaws.job("job-\(added)"))
        added += 1
      }
    }
    #expect(error?.code == .cannotWrite)
    #expect(error?.message.contains(file.string) == true)
    #expect(added > 3)
    #expect(try store.jobs().count == added)
    try run("/usr/bin/mount", "-o", "remount,size=30m", small.string)
    try store.add(JobStoreLaws.job("more"))
    #expect(try store.jobs().count == added + 1)
  }

  private func sqlite(_ statement: String) throws {
    // By another program, as an operator would.
    try run(
      "/usr/bin/python3",
      "-c",
      """
      import sqlite3, sys
      with sqlite3.connect(sys.argv[1]) as database: database.execute(sys.argv[2])
      """,
      path.string,
      statement
    )
  }

  private func run(_ program: String, _ arguments: String...) throws {
    let process = Process()
    process.executableURL = URL(filePath: program)
    process.arguments = arguments
    try process.run()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0, "\(program) \(arguments)")
  }
}
