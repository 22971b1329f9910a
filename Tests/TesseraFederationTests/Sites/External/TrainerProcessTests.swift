import Foundation
import SystemPackage
import TesseraTesting
import Testing

@testable import TesseraFederation

/// A trainer's process, as the system starts and ends it.
@Suite struct TrainerProcessTests {
  private static func start(
    _ command: [String],
    in folder: FilePath,
    output: Int32 = 2
  ) throws -> TrainerProcess {
    try TrainerProcess(
      TrainerProgram(command, folder: folder),
      variables: ["TESSERA_SOCKET": "/none"],
      log: output
    )
  }

  /// A program with children of its own: in its group, in a session of their own, and without a parent.
  private static let family = """
    sleep 600 & echo $! > child
    setsid sh -c 'echo $$ > session; sleep 600 & echo $! > grandchild; wait' &
    (setsid sh -c 'echo $$ > orphan; exec sleep 600' &)
    while [ ! -s grandchild ] || [ ! -s orphan ]; do sleep 0.01; done
    echo $$ > self.new; mv self.new self
    """
  private static let members = ["self", "child", "session", "grandchild", "orphan"]

  /// The numbers of a family's processes, once all are there.
  private static func family(in folder: FilePath) async throws -> [pid_t] {
    try await onOwnThread { try waitForFamily(in: folder) }
  }

  /// As ``family(in:)``; if they do not come, the program is ended: whoever waits for all children would find it for ever.
  private static func family(
    of process: TrainerProcess,
    in folder: FilePath
  ) async throws -> [pid_t] {
    do { return try await family(in: folder) } catch {
      end(process)
      throw error
    }
  }

  private static func end(_ process: TrainerProcess) {
    process.signal(SIGKILL)
    TrainerProcess.waitForEnd(of: process.id)
    _ = process.reap()
  }

  /// As ``family(in:)``, on this thread.
  private static func waitForFamily(in folder: FilePath) throws -> [pid_t] {
    let last = folder.appending("self").string
    let end = ContinuousClock.now + .seconds(20)
    while !FileManager.default.fileExists(atPath: last), .now < end { usleep(5000) }
    return try members.map { name in
      let text = try String(contentsOfFile: folder.appending(name).string, encoding: .utf8)
      return try #require(pid_t(text.trimmingCharacters(in: .whitespacesAndNewlines)))
    }
  }

  @Test func whatAProgramHasStartedIsGoneWhenItHasEnded() async throws {
    let folder = try TemporaryFolder()
    let process = try Self.start(["sh", "-c", Self.family + "\nexit 3"], in: folder.path)
    let id = process.id
    try await onOwnThread { TrainerProcess.waitForEnd(of: id) }
    let family = try await Self.family(in: folder.path)
    #expect(!family.contains(where: isAlive))
    #expect("\(process.reap())".contains("3"))
  }

  @Test func aSignalEndsAProgramWithAllThatItHasStarted() async throws {
    let folder = try TemporaryFolder()
    let process = try Self.start(["sh", "-c", Self.family + "\nwait"], in: folder.path)
    let family = try await Self.family(of: process, in: folder.path)
    #expect(family.allSatisfy(isAlive))
    let start = ContinuousClock.now
    process.signal(SIGKILL)
    let id = process.id
    let end = try await onOwnThread { () -> ContinuousClock.Instant in
      TrainerProcess.waitForEnd(of: id)
      return .now
    }
    #expect(end - start < .seconds(1))
    #expect("\(process.reap())".contains("9"))
    #expect(!family.contains(where: isAlive))
  }

  /// Nobody is there to end what a killed site has started: its guard does.
  @Test func aKilledSiteLeavesNothingBehind() async throws {
    let folder = try TemporaryFolder()
    await #expect(processExitsWith: .signal(SIGKILL)) { [path = folder.path.string as String] in
      _ = try Self.start(["sh", "-c", Self.family + "\nwait"], in: FilePath(path))
      #expect(try Self.waitForFamily(in: FilePath(path)).allSatisfy(isAlive))
      kill(getpid(), SIGKILL)
    }
    let family = try await Self.family(in: folder.path)
    let isGone = try await onOwnThread { () -> Bool in
      let end = ContinuousClock.now + .seconds(1)
      while family.contains(where: isAlive), .now < end { usleep(5000) }
      return !family.contains(where: isAlive)
    }
    #expect(isGone)
  }

  /// What a process keeps in memory that is no file's, in bytes.
  private static func memory(of process: String) throws -> Int {
    let status = try String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)
    let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("RssAnon:") })
    return try #require(Int(line.filter(\.isNumber))) << 10
  }

  /// What the site frees later would stay taken by the copy.
  @Test func aGuardKeepsNoMemoryOfTheSite() async throws {
    let folder = try TemporaryFolder()
    let size = 256 << 20
    let memory = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 4096)
    memset(memory, 1, size)
    defer { memory.deallocate() }
    let process = try Self.start(["sh", "-c", Self.family + "\nwait"], in: folder.path)
    _ = try await Self.family(of: process, in: folder.path)
    let memories = Result { try (Self.memory(of: "self"), Self.memory(of: "\(process.id)")) }
    Self.end(process)
    let (own, guards) = try memories.get()
    #expect(own - guards > size / 2, "\(own) and \(guards)")
  }

  @Test func aProgramHasItsFolderItsVariablesAndNoOtherFile() throws {
    let folder = try TemporaryFolder()
    let file = try FileDescriptor.open(
      folder.path.appending("said"),
      .readWrite,
      options: [.create],
      permissions: [.ownerReadWrite]
    )
    defer { try? file.close() }
    let process = try Self.start(
      ["sh", "-c", "pwd -P; echo $TESSERA_SOCKET; ls /proc/self/fd | wc -l; cat; exit 3"],
      in: folder.path,
      output: file.rawValue
    )
    TrainerProcess.waitForEnd(of: process.id)
    #expect("\(process.reap())".contains("3"))
    let text = try String(contentsOfFile: folder.path.appending("said").string, encoding: .utf8)
    let lines = text.split(separator: "\n").map(String.init)
    #expect(lines.first?.hasSuffix(folder.path.lastComponent?.string ?? "?") == true)
    // Those of `ls` are the three usual ones and the folder that it lists.
    #expect(lines.dropFirst() == ["/none", "4"], "\(lines)")
  }

  @Test func whatCannotBeStartedSaysWhy() throws {
    let folder = try TemporaryFolder()
    let script = try folder.file("train.sh", Array("no program".utf8))
    chmod(script.string, 0o755)
    #expect(throws: Errno(rawValue: ENOEXEC)) { try Self.start(["./train.sh"], in: folder.path) }
    #expect(throws: Errno.noSuchFileOrDirectory) {
      try Self.start(["sh"], in: folder.path.appending("none"))
    }
  }
}
