import Crypto
import Foundation
import SystemPackage
import TesseraDeployment
import TesseraProvisioning
import TesseraTesting
import Testing

private enum Hash {
  static func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    bytes.map { String(format: "%02x", $0) }.joined()
  }

  static func text(_ bytes: some DataProtocol) -> String { hexadecimal(SHA256.hash(data: bytes)) }
}

@Suite("The audit log")
struct AuditLogTests {
  let folder: TemporaryFolder
  static let key = Curve25519.Signing.PrivateKey()
  var path: FilePath { folder.path.appending("audit.jsonl") }
  var headPath: FilePath { FilePath(path.string + ".head") }

  init() throws { folder = try TemporaryFolder() }

  static let task = AuditedTask(job: "job-1", step: 3, task: "train", round: 2, site: "north")
  static let events: [AuditEvent] = [
    .connected(name: "north", kind: .site, address: "10.0.0.1:4711", serial: "0a"),
    .taskGiven(task, digest: "00ff"),
    .filterApplied(task, filter: "clip-norm", owner: .site),
    .budgetSpent(task, epsilon: 0.125, left: 2),
    .contributionAccepted(task, digest: "abcd", weight: .infinity),
    .contributionRefused(task, digest: nil, reason: "\"no\"\n\u{1F9E9} answer"),
    .budgetRefused(task, reason: "it would be 9 of 8"),
    .jobChanged(job: "job-1", state: .finished(.aborted(by: "ada")), by: "ada"),
    .administration(
      person: Person(name: "bob", organisation: "Hub", role: .member),
      action: "abort",
      target: "job-1",
      outcome: .refused(reason: "the policy forbids it")
    ),
    .connectionRefused(address: "10.0.0.9:1", reason: "an unknown certificate"),
    .operationRefused(reason: "it was done before"),
    .disconnected(name: "north", reason: "the connection was lost"),
    .filterApplied(task, filter: "top-k", owner: .job, passing: .answer),
    .budgetSpent(task, epsilon: 0.125, left: 2, delta: 1e-6),
    .filterApplied(task, filter: "quantize", owner: .server, passing: .task),
    .jobBudgetSpent(job: "job-1", round: 2, purpose: "train", epsilon: 1, left: 2, delta: 1e-6),
    .jobBudgetRefused(job: "job-1", round: 3, purpose: "train", reason: "it would be 9 of 8"),
  ]

  static var keys: AuditKeys {
    var keys = AuditKeys(ParticipantList(project: "chest"))
    keys.add(Data(key.publicKey.rawRepresentation).base64EncodedString(), of: "server")
    keys.add(
      Data(Curve25519.Signing.PrivateKey().publicKey.rawRepresentation).base64EncodedString(),
      of: "north"
    )
    return keys
  }

  static func open(_ path: FilePath, as name: String = "server") throws -> AuditLog {
    try AuditLog(
      at: path,
      participant: name,
      project: "chest",
      signingKey: key.rawRepresentation,
      clock: { Date(timeIntervalSince1970: 1_764_000_000.25) }
    )
  }

  /// A log of some events, closed.
  private func written(_ events: [AuditEvent] = events) throws {
    let log = try Self.open(path)
    for event in events { try log.append(event) }
  }

  private func verify(since head: AuditHead? = nil) throws -> AuditReport {
    try AuditLog.verify(at: path, keys: Self.keys, since: head)
  }

  private func read() throws -> [AuditEvent] {
    var events: [AuditEvent] = []
    try AuditLog.read(at: path) { number, entry in
      events.append(entry.event)
      #expect(number == events.count)
      #expect(entry.time == Date(timeIntervalSince1970: 1_764_000_000.25))
    }
    return events
  }

  private func code(_ body: () throws -> Void) -> DeploymentError.Code? {
    do { try body() } catch { return (error as? DeploymentError)?.code }
    return nil
  }

  @Test("events are read back, and whole")
  func readBack() throws {
    try written()
    let events = try read()
    #expect(
      events.first == .opened(participant: "server", project: "chest", version: "0.1.0")
    )
    #expect(Array(events.dropFirst()) == Self.events)
    let report = try verify()
    #expect(report.problems == [] && report.notes == [] && report.isWhole)
    #expect(report.lines == Self.events.count + 1)
    #expect(report.participant == "server")
    #expect(report.head?.number == report.lines)
    #expect(folder.names == ["audit.jsonl", "audit.jsonl.head"])
    // An event in words is a line.
    #expect(events.allSatisfy { !$0.description.isEmpty && !$0.description.contains("AuditEvent") })
  }

  @Test("a log goes on where it was, and says that it was opened")
  func goesOn() throws {
    try written()
    let first = try verify()
    try written([.taskGiven(Self.task, digest: "11")])
    #expect(try read().suffix(2).last == .taskGiven(Self.task, digest: "11"))
    let report = try verify(since: first.head)
    #expect(report.isWhole, "\(report.problems)")
    #expect(report.lines == first.lines + 2)
  }

  @Test("each line is an object of JSON")
  func json() throws {
    try written()
    let lines = try folder.bytes(of: path).split(separator: UInt8(ascii: "\n"))
    for (index, line) in lines.enumerated() {
      let object = try #require(
        JSONSerialization.jsonObject(with: Data(line)) as? [String: Any]
      )
      #expect(Set(object.keys) == ["number", "previous", "entry", "signature"])
      #expect(object["number"] as? Int == index + 1)
    }
    let head = try JSONSerialization.jsonObject(with: Data(folder.bytes(of: headPath)))
    #expect((head as? [String: Any])?["number"] as? Int == lines.count)
  }

  /// Every bit pattern of every byte would take long; three changes of each byte, in all places of all lines, do not.
  @Test("every byte that is changed is found, in the line where it is")
  func everyByte() throws {
    try written([Self.events[0]])
    let whole = try folder.bytes(of: path)
    var line = 1
    for place in whole.indices {
      for change: UInt8 in [0x01, 0x20, 0x80] {
        var bytes = whole
        bytes[place] ^= change
        _ = try folder.file("audit.jsonl", bytes)
        let report = try verify()
        #expect(!report.isWhole, "byte \(place) ^ \(change)")
        if whole[place] != UInt8(ascii: "\n") {
          #expect(report.problems.contains { $0.line == line }, "byte \(place): \(report)")
        }
      }
      if whole[place] == UInt8(ascii: "\n") { line += 1 }
    }
    _ = try folder.file("audit.jsonl", whole)
    #expect(try verify().isWhole)
  }

  @Test("every byte of the head that is changed is found")
  func everyByteOfTheHead() throws {
    try written([])
    let whole = try folder.bytes(of: headPath)
    for place in whole.indices {
      var bytes = whole
      bytes[place] ^= 1
      _ = try folder.file("audit.jsonl.head", bytes)
      #expect(try !verify().isWhole, "byte \(place)")
    }
    for bytes in [Array(whole.dropLast(1)), whole + whole, []] {
      _ = try folder.file("audit.jsonl.head", bytes)
      #expect(try !verify().isWhole)
    }
    try FileManager.default.removeItem(atPath: headPath.string)
    #expect(try verify().problems.first?.message.contains("is missing") == true)
  }

  @Test("every line that is removed, doubled, or swapped with another is found")
  func everyLine() throws {
    try written()
    let whole = try folder.bytes(of: path)
    let lines = whole.split(separator: UInt8(ascii: "\n")).map { Array($0) + [UInt8(ascii: "\n")] }
    func check(_ lines: [[UInt8]], _ what: String) throws {
      _ = try folder.file("audit.jsonl", lines.flatMap { $0 })
      #expect(try !verify().isWhole, "\(what)")
    }
    for index in lines.indices {
      var changed = lines
      changed.remove(at: index)
      try check(changed, "without line \(index + 1)")
      try check(Array(lines.prefix(index)), "the first \(index) lines")
      try check(Array(lines.suffix(index)), "the last \(index) lines")
      for other in lines.indices {
        changed = lines
        changed.insert(lines[index], at: other)
        try check(changed, "line \(index + 1) doubled at \(other + 1)")
        guard other > index else { continue }
        changed = lines
        changed.swapAt(index, other)
        try check(changed, "lines \(index + 1) and \(other + 1) swapped")
      }
    }
    _ = try folder.file("audit.jsonl", whole)
    #expect(try verify().isWhole)
  }

  @Test("what is wrong is said with its line")
  func messages() throws {
    try written()
    let whole = try folder.bytes(of: path)
    let lines = whole.split(separator: UInt8(ascii: "\n")).map { Array($0) + [UInt8(ascii: "\n")] }
    func problems(_ lines: some Sequence<[UInt8]>) throws -> [String] {
      _ = try folder.file("audit.jsonl", lines.flatMap { $0 })
      return try verify().problems.map(\.description)
    }
    #expect(
      try problems(lines[..<3] + lines[5...]) == [
        "line 4: what were lines 4 to 5 is missing before it"
      ]
    )
    #expect(
      try problems(lines[..<12]) == [
        "6 lines are missing at the end, by the head in \(headPath)"
      ]
    )
    let text = String(decoding: lines[5], as: UTF8.self)
    let altered = Array(text.replacing("\"abcd\"", with: "\"abce\"").utf8)
    #expect(altered != lines[5])
    #expect(
      try problems(lines[..<5] + [altered] + lines[6...]) == [
        "line 6: was altered: its signature is not that of server",
        "line 7: the line before it is not the one that was there",
      ]
    )
  }

  @Test("lines that somebody else has signed are found")
  func otherKeys() throws {
    try written()
    var others = AuditKeys(ParticipantList(project: "chest"))
    let other = Curve25519.Signing.PrivateKey()
    others.add(Data(other.publicKey.rawRepresentation).base64EncodedString(), of: "server")
    let report = try AuditLog.verify(at: path, keys: others)
    #expect(!report.isWhole && report.participant == nil)
    #expect(report.problems.count > Self.events.count)
    // A participant's own key does not make a log another's.
    do { try Self.open(path, as: "north").append(Self.events[0]) }
    let mixed = try verify()
    #expect(
      mixed.problems.map(\.message).contains("says that north writes it, and server has signed it")
    )
  }

  @Test("a log that was put back to an earlier state is found by who has kept a later head")
  func rollback() throws {
    try written(Array(Self.events.prefix(4)))
    let (log, head) = (try folder.bytes(of: path), try folder.bytes(of: headPath))
    try written(Self.events)
    let later = try #require(try verify().head)
    _ = try folder.file("audit.jsonl", log)
    _ = try folder.file("audit.jsonl.head", head)
    #expect(try verify().isWhole)
    let report = try verify(since: later)
    #expect(report.problems.first?.message.contains("missing at the end") == true)
    // Nor does another history pass for the one that was seen.
    try written(Self.events.reversed())
    #expect(try verify().isWhole)
    #expect(try !verify(since: later).isWhole)
    #expect(AuditHead(later.description) == later)
    for text in [
      "", "3", "3:", "x:" + later.digest, "-1:" + later.digest, "3:" + later.digest + "0",
    ] {
      #expect(AuditHead(text) == nil)
    }
  }

  @Test("a line that a kill left half written is cut off, wherever it ends, and the log says so")
  func halfLine() throws {
    try written(Array(Self.events.prefix(2)))
    let (whole, head) = (try folder.bytes(of: path), try folder.bytes(of: headPath))
    do { try Self.open(path).append(Self.events[2]) }
    let longer = try folder.bytes(of: path)
    let next = try #require(longer[whole.count...].firstIndex(of: UInt8(ascii: "\n")))
    for end in stride(from: whole.count + 1, to: next, by: 7) {
      _ = try folder.file("audit.jsonl", Array(longer[..<end]))
      _ = try folder.file("audit.jsonl.head", head)
      #expect(try verify().isWhole)
      #expect(try verify().notes.count == 1)
      do { try Self.open(path).append(Self.events[3]) }
      let events = try read()
      #expect(events.count == 6)
      #expect(
        events[4]
          == .repaired(
            reason: "\(end - whole.count) bytes of a line that was not finished were cut off",
            damage: .tornLine
          )
      )
      #expect(try verify().isWhole)
    }
  }

  @Test("a log that was altered is not gone on with")
  func openingAltered() throws {
    try written()
    let whole = try folder.bytes(of: path)
    let lines = whole.split(separator: UInt8(ascii: "\n")).map { Array($0) + [UInt8(ascii: "\n")] }
    func opens(_ lines: some Sequence<[UInt8]>) throws -> DeploymentError.Code? {
      _ = try folder.file("audit.jsonl", lines.flatMap { $0 })
      return code { _ = try Self.open(path) }
    }
    #expect(try opens(lines.dropLast()) == .altered)
    #expect(try opens([]) == .altered)
    #expect(try opens(lines.dropFirst()) == .altered)
    #expect(try opens(lines[..<3] + lines[4...]) == .altered)
    #expect(try opens(lines) == nil)
    try FileManager.default.removeItem(atPath: path.string)
    #expect(code { _ = try Self.open(path) } == .altered)
  }

  @Test(
    "zeros before the head are an alteration, of which nothing is cut off; after it, what a power cut has left"
  )
  func zeros() throws {
    try written()
    let (before, head) = (try folder.bytes(of: path), try folder.bytes(of: headPath))
    #expect(before.count > 2048)
    var altered = before
    altered.replaceSubrange(1024..<1536, with: repeatElement(0, count: 512))
    _ = try folder.file("audit.jsonl", altered)
    #expect(code { _ = try Self.open(path) } == .altered)
    #expect(try folder.bytes(of: path) == altered)
    // Nor is it known without a head that they are no alteration.
    try FileManager.default.removeItem(atPath: headPath.string)
    #expect(code { _ = try Self.open(path) } == .altered)
    #expect(try folder.bytes(of: path) == altered)

    _ = try folder.file("audit.jsonl", before)
    _ = try folder.file("audit.jsonl.head", head)
    try written()
    var holed = try folder.bytes(of: path)
    let start = (before.count / 512 + 2) * 512
    #expect(holed.count > start + 1024)
    holed.replaceSubrange(start..<start + 512, with: repeatElement(0, count: 512))
    _ = try folder.file("audit.jsonl", holed)
    _ = try folder.file("audit.jsonl.head", head)
    do { try Self.open(path).append(Self.events[3]) }
    #expect(try verify().isWhole)
    let repairs = try read().compactMap { event -> String? in
      guard case .repaired(let reason, .tornLine) = event else { return nil }
      return reason
    }
    #expect(repairs.count == 1)
    #expect(repairs.first?.contains("of lines of which not all had reached the disk") == true)
  }

  @Test("that the head was removed stands in the log for ever")
  func missingHead() throws {
    try written()
    try FileManager.default.removeItem(atPath: headPath.string)
    try written([])
    let report = try verify()
    #expect(report.problems.map(\.line) == [report.lines])
    #expect(report.problems.first?.message.contains("\(headPath) is missing") == true)
    guard case .repaired(let reason, .withoutHead) = try read().last else {
      Issue.record("\(try read())")
      return
    }
    #expect(reason.contains("\(headPath) is missing"))
  }

  @Test("another participant's head does not hide that lines are gone")
  func foreignHead() throws {
    try written()
    let whole = try folder.bytes(of: path)
    let lines = whole.split(separator: UInt8(ascii: "\n")).map { Array($0) + [UInt8(ascii: "\n")] }
    // A member of the federation writes a log of its own, as long as what is left, to have a head for it.
    let member = Curve25519.Signing.PrivateKey()
    var keys = Self.keys
    keys.add(Data(member.publicKey.rawRepresentation).base64EncodedString(), of: "ada")
    _ = try folder.file("audit.jsonl", lines.dropLast(3).flatMap { $0 })
    let digest = Hash.text(lines[lines.count - 4].dropLast())
    let text =
      #"{"number":\#(String(repeating: " ", count: 17))\#(lines.count - 3),"digest":"\#(digest)""#
    let signature = try member.signature(for: Data("tessera audit head 1\n\(text)".utf8))
    _ = try folder.file(
      "audit.jsonl.head",
      Array("\(text),\"signature\":\"\(Hash.hexadecimal(signature))\"}\n".utf8)
    )
    let report = try AuditLog.verify(at: path, keys: keys)
    #expect(
      report.problems.map(\.message) == [
        "\(headPath) is not as it was written: lines may be missing at the end"
      ]
    )
  }

  @Test("a line of any number is found, and stops nobody")
  func largestNumber() throws {
    try written()
    let line =
      #"{"number":9223372036854775807,"previous":"\#(String(repeating: "0", count: 64))","#
      + #""entry":{},"signature":"\#(String(repeating: "0", count: 128))"}"# + "\n"
    _ = try folder.file("audit.jsonl", Array(line.utf8) + (try folder.bytes(of: path)))
    #expect(try verify().problems.first?.line == 1)
  }

  @Test("a log in another participant's place is found")
  func owner() throws {
    try written()
    #expect(try AuditLog.verify(at: path, keys: Self.keys, of: "server").isWhole)
    let report = try AuditLog.verify(at: path, keys: Self.keys, of: "north")
    #expect(report.problems.map(\.message) == ["it is the log of server, and not of north"])
    #expect(report.origin?.count == 64)
  }

  @Test("one at a time opens it, and anybody can read it meanwhile")
  func inUse() throws {
    let log = try Self.open(path)
    #expect(code { _ = try Self.open(path) } == .unavailable)
    try log.append(Self.events[0])
    #expect(try verify().isWhole)
    #expect(try read().count == 2)
    #expect(log.head == (try verify().head))
    // What is with the system alone is there, too; the head follows with the next that waits for the disk.
    try log.append(Self.events[1], isDurable: false)
    #expect(try read().count == 3)
    #expect(try verify().isWhole)
    try log.append(contentsOf: [])
    try log.append(contentsOf: Self.events)
    #expect(try verify(since: log.head).isWhole)
  }

  @Test("many threads add at once, and each line is there once")
  func threads() async throws {
    let log = try Self.open(path)
    await withTaskGroup(of: Void.self) { group in
      for number in 0..<200 {
        group.addTask {
          let task = AuditedTask(job: "j", step: number, task: "t", round: 1, site: "s")
          try? log.append(.taskGiven(task, digest: ""), isDurable: number.isMultiple(of: 3))
        }
      }
    }
    #expect(try verify().isWhole)
    let steps = try read().compactMap { event -> Int? in
      guard case .taskGiven(let task, _) = event else { return nil }
      return task.step
    }
    #expect(steps.sorted() == Array(0..<200))
  }

  @Test("a kill at any moment loses nothing that was added", arguments: 0..<8)
  func killed(attempt: Int) async throws {
    let noted = folder.path.appending("noted")
    await #expect(processExitsWith: .signal(SIGKILL)) {
      [path = path.string as String, noted = noted.string as String, attempt = attempt as Int] in
      let log = try AuditLog(
        at: FilePath(path),
        participant: "server",
        project: "chest",
        signingKey: Data(repeating: 7, count: 32)
      )
      let notes = try FileDescriptor.open(
        FilePath(noted),
        .writeOnly,
        options: [.create, .append],
        permissions: [.ownerReadWrite]
      )
      let start = DispatchSemaphore(value: 0)
      let killer = Thread {
        start.wait()
        var steps = attempt * 7_000
        while steps > 0 { steps -= 1 }
        kill(getpid(), SIGKILL)
      }
      killer.start()
      var number = 0
      while true {
        let task = AuditedTask(job: "j", step: number, task: "t", round: 1, site: "s")
        try log.append(.taskGiven(task, digest: ""), isDurable: number.isMultiple(of: 2))
        try notes.writeAll("\(number)\n".utf8)
        if number == 3 + attempt { start.signal() }
        number += 1
      }
    }
    let text = String(decoding: try folder.bytes(of: noted), as: UTF8.self)
    let count = text.split(separator: "\n").count
    let key = try Curve25519.Signing.PrivateKey(rawRepresentation: Data(repeating: 7, count: 32))
    var keys = AuditKeys(ParticipantList(project: "chest"))
    keys.add(Data(key.publicKey.rawRepresentation).base64EncodedString(), of: "server")
    #expect(try AuditLog.verify(at: path, keys: keys).isWhole)
    do {
      _ = try AuditLog(
        at: path,
        participant: "server",
        project: "chest",
        signingKey: key.rawRepresentation
      )
    }
    let report = try AuditLog.verify(at: path, keys: keys)
    #expect(report.isWhole, "\(report.problems)")
    var steps: [Int] = []
    try AuditLog.read(at: path) { _, entry in
      if case .taskGiven(let task, _) = entry.event { steps.append(task.step) }
    }
    #expect((count...count + 1).contains(steps.count))
    #expect(steps == Array(0..<steps.count))
  }

  @Test("the log of a kit is verified with what the kit knows")
  func kit() throws {
    let project = try Project(
      name: "chest",
      participants: [
        Participant(
          name: "server",
          kind: .server,
          organisation: "Hub",
          addresses: ["localhost"],
          port: 7443
        ), Participant(name: "north", kind: .site, organisation: "North Hospital"),
      ]
    )
    let (_, made) = try AuthorityFolder.provision(project, in: folder.path.appending("chest"))
    let north = try StartupKit(contentsOf: try #require(made.kits["north"]))
    do { try AuditLog(of: north).append(Self.events[1]) }
    let server = try StartupKit(contentsOf: try #require(made.kits["server"]))
    for kit in [north, server] {
      let report = try AuditLog.verify(
        at: AuditLog.path(of: north.folder),
        keys: AuditKeys(of: kit)
      )
      #expect(report.isWhole && report.participant == "north")
    }
    // The log is no part of what the authority signs.
    _ = try StartupKit(contentsOf: north.folder)
  }

  @Test("no log, no verification")
  func noLog() {
    #expect(code { _ = try verify() } == .cannotRead)
    #expect(code { try AuditLog.read(at: path) { _, _ in } } == .cannotRead)
    let nowhere = folder.path.appending("nowhere").appending("audit.jsonl")
    #expect(code { _ = try Self.open(nowhere) } == .cannotWrite)
  }
}
