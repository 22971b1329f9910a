import Foundation
import SystemPackage
import TesseraTesting
import Testing

@testable import TesseraDeployment

/// Following a log while its files fill up and are renamed, as its writer does it.
@Suite struct LogFollowerTests {
  let folder: TemporaryFolder
  var path: FilePath { folder.path.appending("log.jsonl") }

  init() throws { folder = try TemporaryFolder() }

  private func write(_ text: String) throws {
    let file = try FileDescriptor.open(
      path,
      .writeOnly,
      options: [.create, .append],
      permissions: [.ownerReadWrite]
    )
    try file.closeAfter { _ = try file.writeAll(Array(text.utf8)) }
  }

  /// The file is full: it becomes number 1; of four files the oldest goes.
  private func rotate() {
    for number in stride(from: 3, through: 1, by: -1) {
      let before = number == 1 ? path : folder.path.appending("log.\(number - 1).jsonl")
      rename(before.string, folder.path.appending("log.\(number).jsonl").string)
    }
  }

  @Test func linesComeOnceEachOverAnyNumberOfNewFiles() throws {
    var follower = LogFollower(path)
    #expect(try follower.lines() == [])
    var (written, read): ([String], [String]) = ([], [])
    // Between two looks: lines, and up to three new files, before and after which there are lines.
    for step in 0..<60 {
      for part in 0..<(step % 4) + 1 {
        if part > 0 { rotate() }
        for line in 0...(step + part) % 3 {
          written.append("line \(step).\(part).\(line)")
          try write(written[written.count - 1] + "\n")
        }
      }
      read += try follower.lines()
      #expect(read == written, "step \(step)")
      #expect(try follower.lines() == [])
    }
    #expect(written.count > 100)
    var later = LogFollower(path)
    let kept = try later.lines()
    #expect(!kept.isEmpty && kept == written.suffix(kept.count))
  }

  @Test func aNewFileThatIsLongerThanTheOldOneIsReadFromItsBeginning() throws {
    var follower = LogFollower(path)
    try write("short\n")
    #expect(try follower.lines() == ["short"])
    try write("last\n")
    rotate()
    try write("a line that is much longer than all of the file before\nand one more\n")
    let lines = try follower.lines()
    #expect(
      lines == ["last", "a line that is much longer than all of the file before", "and one more"]
    )
  }

  @Test func aLineIsThereOnceItIsWhole() throws {
    var follower = LogFollower(path)
    try write("one\ntw")
    #expect(try follower.lines() == ["one"])
    try write("o\n")
    #expect(try follower.lines() == ["two"])
  }

  @Test func whatIsGoneIsLeftOutAndNothingElse() throws {
    var follower = LogFollower(path)
    try write("0\n")
    #expect(try follower.lines() == ["0"])
    for number in 1...8 {
      rotate()
      try write("\(number)\n")
    }
    // Four files are kept.
    #expect(try follower.lines() == ["5", "6", "7", "8"])
  }

  @Test func aLogThatIsRemovedEndsAndOneThatComesLaterIsRead() throws {
    var follower = LogFollower(path)
    try write("one\n")
    #expect(try follower.lines() == ["one"])
    unlink(path.string)
    #expect(try follower.lines() == [])
    try write("new\n")
    #expect(try follower.lines() == ["new"])
  }

  @Test func aLongLogIsReadInPortions() async throws {
    let lines = (0..<30_000).map { "line \($0) " + String(repeating: "x", count: 90) }
    try write(lines[..<20_000].joined(separator: "\n") + "\n")
    rotate()
    try write(lines[20_000..<29_999].joined(separator: "\n") + "\n")
    let feed = NewsFeed()
    var portions = JobLog(LogFollower(path), following: feed) { _ in }.makeAsyncIterator()
    var read: [String] = []
    for _ in 0..<3 {
      let portion = try #require(try await portions.next())
      #expect(portion.reduce(0) { $0 + $1.utf8.count } < JobLog.portion + (1 << 17))
      read += portion
    }
    #expect(read == lines.dropLast())
    // What is written later is read when it is told, and before the end.
    try write(lines[29_999] + "\n")
    feed.source.finish()
    #expect(try await portions.next() == [lines[29_999]])
    #expect(try await portions.next() == nil)
  }

  @Test func whoMayNoLongerSeeALogIsToldSo() async throws {
    try write("one\n")
    let feed = NewsFeed()
    var log = JobLog(LogFollower(path), following: feed) { _ in
      throw DeploymentError.noJob("chest-1")
    }.makeAsyncIterator()
    #expect(try await log.next() == ["one"])
    feed.source.add(JobNews(.returned(site: "north")))
    await #expect(throws: DeploymentError.self) { try await log.next() }
  }

  /// A job that writes all the time leaves no moment without lines.
  @Test func whoMayNoLongerSeeALogIsToldSoThoughThereAreLines() async throws {
    try write("one\n")
    let feed = NewsFeed()
    var log = JobLog(LogFollower(path), following: feed) { _ in
      throw DeploymentError.noJob("chest-1")
    }.makeAsyncIterator()
    #expect(try await log.next() == ["one"])
    try write("two\n")
    feed.source.add(JobNews(.returned(site: "north")))
    await #expect(throws: DeploymentError.self) { try await log.next() }
  }

  @Test func aFolderIsNoLog() throws {
    try FileManager.default.createDirectory(atPath: path.string, withIntermediateDirectories: true)
    var follower = LogFollower(path)
    #expect(throws: DeploymentError.self) { try follower.lines() }
  }
}
