import Synchronization
import SystemPackage
import TesseraTesting
import Testing

@testable import TesseraRun

/// What is left of a file whose disk does not keep what it was given.
@Suite struct AppendOnlyFileTests {
  let folder: TemporaryFolder
  var path: FilePath { folder.path.appending("lines") }

  init() throws { folder = try TemporaryFolder() }

  private func contents() throws -> String {
    String(decoding: try folder.bytes(of: path), as: UTF8.self)
  }

  private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

  /// The system tells once that it could not write, and drops what it had.
  @Test func whenTheDiskFailsAllGoesThatWasNotOnIt() throws {
    let isBroken = Mutex(false)
    var file = try AppendOnlyFile(path) { _ throws(Errno) in
      if isBroken.withLock({ $0 }) { throw Errno.ioError }
    }
    try file.append(bytes("a\n"), isDurable: true)
    try file.append(bytes("b\n"), isDurable: false)
    #expect(try contents() == "a\nb\n")
    isBroken.withLock { $0 = true }
    #expect(throws: RunError.self) { try file.append(bytes("c\n"), isDurable: true) }
    // What looks as if it were there would be a hole after a power cut.
    #expect(try contents() == "a\n")
    isBroken.withLock { $0 = false }
    let error = #expect(throws: RunError.self) {
      try file.append(bytes("d\n"), isDurable: false)
    }
    #expect(error?.code == .cannotWrite)
    #expect(try contents() == "a\n")
  }

  @Test func theDiskIsWaitedForWhereSomethingIsNotOnIt() throws {
    let count = Mutex(0)
    func calls() -> Int { count.withLock { $0 } }
    do {
      var file = try AppendOnlyFile(path) { _ throws(Errno) in count.withLock { $0 += 1 } }
      #expect(calls() == 0)
      try file.append(bytes("a\n"), isDurable: false)
      #expect(calls() == 0)
      try file.append([], isDurable: true)
      #expect(calls() == 1)
      try file.append([], isDurable: true)
      #expect(calls() == 1)
      try file.append(bytes("b\n"), isDurable: false)
    }
    // What another process has left may be with the system alone.
    _ = try AppendOnlyFile(path) { _ throws(Errno) in count.withLock { $0 += 1 } }
    #expect(calls() == 2)
  }
}
