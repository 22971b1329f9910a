import Foundation
import SystemPackage
import TesseraRun
import TesseraTesting
import Testing

@Suite struct TensorBoardFileTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func fixture(_ name: String) -> FilePath {
    FilePath(#filePath).removingLastComponent().appending("../Fixtures").appending(name)
  }

  private func time(_ seconds: Double) -> Date { Date(timeIntervalSince1970: seconds) }

  @Test func aFileHasTheBytesThatTensorBoardsOwnWriterWrites() throws {
    let file = try TensorBoardFile(in: folder.path, started: time(1_800_000_000.125))
    let scalars: [(String, Double, Int, Double)] = [
      ("loss", 2.302585092994046, 0, 1800000000.25), ("loss", 0.1, 1, 1800000001.5),
      ("genauigkeit/größe", -0.0, 2, 1800000002), ("x", .infinity, 127, 1800000003),
      ("x", -.infinity, 128, 1800000004), ("x", .nan, 1 << 40, 1800000005), ("x", 1e300, -1, -0.5),
      ("", 3, 3, 0), (String(repeating: "n", count: 300), 16777217, 4, 1800000006),
    ]
    for (name, value, step, seconds) in scalars {
      try file.add(scalar: name, value, step: step, at: time(seconds))
    }
    try file.flush()
    #expect(try folder.bytes(of: file.path) == folder.bytes(of: fixture("scalars.tfevents")))
  }

  @Test func aRunThatIsGoneOnWithSaysFromWhichStep() throws {
    let file = try TensorBoardFile(in: folder.path, started: time(1_800_000_009.5), goingOnAt: 7)
    #expect(try folder.bytes(of: file.path) == folder.bytes(of: fixture("resumed.tfevents")))
  }

  @Test func aRunThatIsGoneOnWithAddsAFile() throws {
    let run = folder.path.appending("site-1")
    var paths: [FilePath] = []
    for _ in 0..<2 {
      let file = try TensorBoardFile(in: run, started: time(1_800_000_000))
      #expect(try folder.bytes(of: file.path).count > 16)
      paths.append(file.path)
    }
    paths.append(try TensorBoardFile(in: run, started: time(1_800_000_001)).path)
    #expect(Set(paths).count == 3)
    #expect(paths.map(\.string).sorted() == paths.map(\.string))
    for path in paths {
      #expect(path.lastComponent?.string.hasPrefix("events.out.tfevents.180000000") == true)
      #expect(path.removingLastComponent() == run)
    }
  }

  @Test func whatIsAddedIsWrittenAtTheLatestWithTheLastReference() throws {
    var file: TensorBoardFile? = try TensorBoardFile(in: folder.path, started: time(0))
    let path = try #require(file?.path)
    let before = try folder.bytes(of: path)
    try file?.add(scalar: "loss", 1, step: 1, at: time(1))
    file = nil
    let after = try folder.bytes(of: path)
    #expect(after.starts(with: before))
    #expect(after.count > before.count)
  }

  @Test func muchIsWrittenInTheMeantime() throws {
    let file = try TensorBoardFile(in: folder.path, started: time(0))
    for step in 0..<5000 { try file.add(scalar: "loss", 1, step: step, at: time(1)) }
    let before = try folder.bytes(of: file.path)
    #expect(before.count > 1 << 16)
    try file.flush()
    #expect(try folder.bytes(of: file.path).count > before.count)
  }

  @Test(.enabled(if: SmallDisk.isPossible, "only root can mount a small disk, where it may"))
  func whatCannotBeWrittenDoesNotFillTheMemory() throws {
    let disk = try SmallDisk(megabytes: 1)
    let file = try TensorBoardFile(in: disk.path, started: time(0))
    let other = disk.path.appending("other").string
    #expect(FileManager.default.createFile(atPath: other, contents: Data(count: 900_000)))
    var failures = 0
    for step in 0..<80_000 {
      do { try file.add(scalar: "loss", 1, step: step, at: time(1)) } catch { failures += 1 }
    }
    // Not one for each.
    #expect((1..<100).contains(failures))
    try disk.resize(megabytes: 30)
    try file.flush()
    let count = try folder.bytes(of: file.path).count
    #expect(count > 1000 && count < 3 << 20)
  }

  @Test func whatTheSystemRefusesNamesTheFolder() throws {
    let missing = folder.path.appending("missing/run")
    let file = try folder.file("file", [])
    for path in [missing, file, FilePath("")] {
      let error = #expect(throws: RunError.self) {
        try TensorBoardFile(in: path, started: time(0))
      }
      #expect(error?.code == .cannotWrite)
      #expect(error?.message.contains(path.string) == true || path.isEmpty)
    }
    #expect(throws: Never.self) {
      for seconds in [-1e300, 1e300, .infinity, .nan] {
        _ = try TensorBoardFile(in: folder.path, started: time(seconds))
      }
    }
  }

  // The vectors of RFC 3720, appendix B.4, and the usual check value.
  @Test func checksumsAreThoseOfTheStandard() {
    #expect(CRC32C.checksum(of: []) == 0)
    #expect(CRC32C.checksum(of: Array("123456789".utf8)) == 0xE306_9283)
    #expect(CRC32C.checksum(of: repeatElement(0, count: 32)) == 0x8A91_36AA)
    #expect(CRC32C.checksum(of: repeatElement(0xFF, count: 32)) == 0x62A8_AB43)
    #expect(CRC32C.checksum(of: 0..<32) == 0x46DD_794E)
    #expect(CRC32C.checksum(of: (0..<32).reversed()) == 0x113F_DB5C)
  }
}
