import Foundation
import Synchronization
import SystemPackage
import TesseraRun
import TesseraTesting
import Testing

@Suite struct JournalTests {
  struct Joined: Codable, Equatable {
    var site: String
    var weight: Double
  }

  let folder: TemporaryFolder
  var path: FilePath { folder.path.appending("events.jsonl") }

  init() throws { folder = try TemporaryFolder() }

  static let events = [
    Joined(site: "north", weight: 1), Joined(site: "s\n\"ü\"/", weight: .infinity),
    Joined(site: "", weight: -0.1),
  ]

  /// The bytes of a journal of `events`.
  private func written() throws -> [UInt8] {
    let path = folder.path.appending("whole.jsonl")
    try Journal<Joined>.open(at: path).journal.append(contentsOf: Self.events)
    return try folder.bytes(of: path)
  }

  private func read(_ bytes: [UInt8], endsAtHoles: Bool = false) throws -> [Joined] {
    let (journal, events) = try Journal<Joined>.open(
      at: folder.file("events.jsonl", bytes),
      endsAtHoles: endsAtHoles
    )
    #expect(journal.count == events.count)
    return events
  }

  @Test func eventsAreReadBackInOrder() throws {
    var (journal, events): (Journal<Joined>?, [Joined]) = try Journal.open(at: path)
    #expect(events == [])
    try journal?.append(Self.events[0])
    try journal?.append(contentsOf: [])
    #expect(journal?.count == 1)
    journal = nil
    (journal, events) = try Journal.open(at: path)
    #expect(events == [Self.events[0]])
    try journal?.append(contentsOf: Self.events[1...])
    #expect(journal?.count == 3)
    journal = nil
    (journal, events) = try Journal.open(at: path)
    #expect(events == Self.events)
    #expect(folder.names == ["events.jsonl"])
  }

  @Test func eachLineIsAnObjectWithTheEventItsNumberAndAChecksum() throws {
    let lines = try written().split(separator: UInt8(ascii: "\n"))
    #expect(lines.count == 3)
    var checks: Set<String> = []
    for (index, line) in lines.enumerated() {
      let object = try #require(
        try JSONSerialization.jsonObject(with: Data(line)) as? [String: Any]
      )
      #expect(Set(object.keys) == ["check", "number", "event"])
      #expect(object["number"] as? Int == index + 1)
      let check = try #require(object["check"] as? String)
      #expect(check.count == 16)
      checks.insert(check)
      let event = try #require(object["event"] as? [String: Any])
      #expect(event["site"] as? String == Self.events[index].site)
    }
    #expect(checks.count == 3)
  }

  @Test func aLastLineTornAnywhereIsCutOff() throws {
    let whole = try written()
    let last = try #require(whole.dropLast().lastIndex(of: UInt8(ascii: "\n"))) + 1
    for end in last..<whole.count {
      #expect(try read(Array(whole[..<end])) == Array(Self.events.dropLast()))
      #expect(try folder.bytes(of: path) == Array(whole[..<last]))
      try Journal<Joined>.open(at: path).journal.append(Self.events[2])
      #expect(try folder.bytes(of: path) == whole)
    }
  }

  /// A power cut can leave zeros where pages did not reach the disk, and whole lines after them.
  @Test func aHoleOfZerosEndsTheLines() throws {
    let events = (0..<40).map { Joined(site: "site-\($0)", weight: Double($0)) }
    let place = folder.path.appending("long.jsonl")
    try Journal<Joined>.open(at: place).journal.append(contentsOf: events)
    let whole = try folder.bytes(of: place)
    #expect(whole.count > 2048)
    let lines = whole.indices.filter { $0 == 0 || whole[$0 - 1] == UInt8(ascii: "\n") }
    // From where a sector begins, or where the file had ended that was on the disk.
    for (start, end) in [(512, 1024), (1024, 2048), (lines[3], 512), (0, 512)] {
      var holed = whole
      holed.replaceSubrange(start..<end, with: repeatElement(0, count: end - start))
      let before = (lines.lastIndex { $0 <= start } ?? 0)
      #expect(try read(holed, endsAtHoles: true) == Array(events.prefix(before)))
      #expect(try folder.bytes(of: path) == Array(whole[..<lines[before]]))
      // Whoever only reads sees the same, and changes nothing.
      _ = try folder.file("events.jsonl", holed)
      var seen: [Joined] = []
      try Journal<Joined>.read(at: path, endsAtHoles: true) { seen.append($0) }
      #expect(seen == Array(events.prefix(before)))
      #expect(try folder.bytes(of: path) == holed)
      // Where all events were waited for, no power cut leaves one.
      let error = #expect(throws: RunError.self) { try read(holed) }
      #expect(error?.code == .malformedRecord)
      #expect(throws: RunError.self) { try Journal<Joined>.read(at: path) { _ in } }
      #expect(try folder.bytes(of: path) == holed)
    }
    // Such as no power cut leaves.
    for (start, end) in [(513, 1024), (512, 1023), (lines[3] + 1, 512), (700, 701)] {
      var changed = whole
      changed.replaceSubrange(start..<end, with: repeatElement(0, count: end - start))
      #expect(throws: RunError.self) { try read(changed, endsAtHoles: true) }
      #expect(try folder.bytes(of: path) == changed)
    }
  }

  @Test func aChangedByteIsRefusedWithItsLineAndLosesNothing() throws {
    let whole = try written()
    var line = 1
    for place in whole.indices {
      for flip in [1, 0x2A, 0x80] as [UInt8] {
        var changed = whole
        changed[place] ^= flip
        let error = #expect(throws: RunError.self) { try read(changed) }
        #expect(error?.code == .malformedRecord)
        #expect(error?.message.contains("events.jsonl is damaged: line \(line) ") == true)
        #expect(try folder.bytes(of: path) == changed)
      }
      if whole[place] == UInt8(ascii: "\n") { line += 1 }
    }
  }

  @Test func linesThatAreMissingRepeatedOrMovedAreRefused() throws {
    let lines = try written().split(separator: UInt8(ascii: "\n")).map { $0 + [UInt8(ascii: "\n")] }
    for (order, line) in [([1, 2], 1), ([0, 2], 2), ([0, 0, 1, 2], 2), ([0, 2, 1], 2)] {
      let error = #expect(throws: RunError.self) { try read(order.flatMap { lines[$0] }) }
      #expect(error?.message.contains("line \(line) ") == true)
    }
    #expect(throws: RunError.self) { try read(Array("\n".utf8)) }
  }

  @Test func anEventOfAnotherKindNamesLineAndField() throws {
    _ = try read(written())
    struct Left: Codable { var reason: String }
    let error = #expect(throws: RunError.self) { try Journal<Left>.open(at: path) }
    #expect(error?.code == .malformedRecord)
    #expect(error?.message.contains("line 1: the field 'reason' is missing") == true)
  }

  @Test func linesMayCrossThePiecesThatAFileIsReadIn() throws {
    let sites = (0..<40).map { String(repeating: "\($0) ", count: $0 * 10_000) }
    try Journal<String>.open(at: path).journal.append(contentsOf: sites)
    #expect(try folder.bytes(of: path).count > 10 << 20)
    #expect(try Journal<String>.open(at: path).events == sites)
  }

  @Test func threadsThatAppendAtOnceKeepTheOrderOfTheirOwnCalls() throws {
    do {
      let journal = try Journal<[Int]>.open(at: path).journal
      DispatchQueue.concurrentPerform(iterations: 8) { thread in
        for number in 0..<50 {
          #expect(throws: Never.self) {
            try journal.append(contentsOf: [[thread, number], [thread, number]])
          }
        }
      }
      #expect(journal.count == 800)
    }
    let events = try Journal<[Int]>.open(at: path).events
    #expect(stride(from: 0, to: 800, by: 2).allSatisfy { events[$0] == events[$0 + 1] })
    for thread in 0..<8 {
      let own = events.filter { $0[0] == thread }.map { $0[1] }
      #expect(own == (0..<50).flatMap { [$0, $0] })
    }
  }

  @Test func onlyOneOpensAJournal() throws {
    let (journal, _) = try Journal<Joined>.open(at: path)
    let error = #expect(throws: RunError.self) { try Journal<Joined>.open(at: path) }
    #expect(error?.code == .inUse)
    #expect(error?.message.contains(path.string) == true)
    try journal.append(Self.events[0])
  }

  @Test func whatTheSystemRefusesNamesTheFile() {
    for path in [folder.path.appending("missing/events.jsonl"), folder.path] {
      let error = #expect(throws: RunError.self) { try Journal<Joined>.open(at: path) }
      #expect(error?.code == .cannotWrite)
      #expect(error?.message.contains(path.string) == true)
    }
  }

  // In a process of its own, as the limit on files holds for all of a process.
  @Test func aFullDiskLeavesTheFileAsItWas() async throws {
    await #expect(processExitsWith: .success) { [path = path.string as String] in
      signal(SIGXFSZ, SIG_IGN)
      func limitFiles(to bytes: Int) {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(1), &limit)  // RLIMIT_FSIZE
        limit.rlim_cur = rlim_t(bytes)
        #expect(setrlimit(__rlimit_resource_t(1), &limit) == 0)
      }
      func contents() throws -> Data { try Data(contentsOf: URL(filePath: path)) }
      let journal = try Journal<String>.open(at: FilePath(path)).journal
      try journal.append("first")
      let before = try contents()
      limitFiles(to: before.count + 30)
      for events in [["second"], ["second", "third"]] {
        let error = #expect(throws: RunError.self) { try journal.append(contentsOf: events) }
        #expect(error?.code == .cannotWrite)
        #expect(error?.message.contains(path) == true)
        #expect(try contents() == before)
        #expect(journal.count == 1)
      }
      limitFiles(to: 1 << 20)
      try journal.append("fourth")
      #expect(journal.count == 2)
    }
    #expect(try Journal<String>.open(at: path).events == ["first", "fourth"])
  }

  @Test(arguments: 0..<5)
  func aKillWhileThreadsAppendLeavesWholeEvents(_ repetition: Int) async throws {
    let acknowledged = 100 + repetition
    await #expect(processExitsWith: .signal(SIGKILL)) {
      [path = path.string as String, acknowledged = acknowledged as Int] in
      let journal = try Journal<[Int]>.open(at: FilePath(path)).journal
      let count = Atomic(0)
      DispatchQueue.concurrentPerform(iterations: 4) { thread in
        for number in 0... {
          try? journal.append(Array(repeating: thread << 32 | number, count: 1000))
          if count.add(1, ordering: .relaxed).newValue == acknowledged { kill(getpid(), SIGKILL) }
        }
      }
    }
    let events = try Journal<[Int]>.open(at: path).events
    #expect(events.count >= acknowledged)
    #expect(events.allSatisfy { $0.count == 1000 && Set($0).count == 1 })
    for thread in 0..<4 {
      let own = events.map { $0[0] }.filter { $0 >> 32 == thread }
      #expect(own == own.indices.map { thread << 32 | $0 })
    }
  }
}
