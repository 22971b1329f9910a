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

  /// A site that is killed takes its trainers with it: the system ends them with the thread that has started them.
  @Test func aProcessEndsWithTheThreadThatHasStartedIt() async throws {
    let folder = try TemporaryFolder()
    let place = folder.path
    let started = await withCheckedContinuation { continuation in
      Thread {
        continuation.resume(returning: Result { try Self.start(["sleep", "20"], in: place) })
      }.start()
    }
    let process = try started.get()
    let exit = await withCheckedContinuation { continuation in
      Thread {
        TrainerProcess.waitForEnd(of: process.id)
        continuation.resume(returning: process.reap())
      }.start()
    }
    #expect("\(exit)".contains("9"), "\(exit)")
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
