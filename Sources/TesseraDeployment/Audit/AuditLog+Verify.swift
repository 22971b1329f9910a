internal import Crypto
internal import Foundation
public import SystemPackage
internal import TesseraRun

extension AuditLog {
  /// Looks for lines that were altered, removed, added or moved.
  ///
  /// It goes on after what is wrong, and says all of it.
  ///
  /// - Parameters:
  ///   - path: The log.
  ///   - keys: Who can have signed it.
  ///   - owner: Whose log it must be; anybody's of those if `nil`.
  ///   - head: A line that is known to have been the last at some time.
  /// - Returns: What was found.
  /// - Throws: ``DeploymentError`` with code ``DeploymentError/Code/cannotRead`` if there is no log.
  public static func verify(
    at path: FilePath,
    keys: AuditKeys,
    of owner: String? = nil,
    since head: AuditHead? = nil
  ) throws -> AuditReport {
    try reporting(path, unless: .cannotRead) {
      var check = AuditCheck(keys)
      var wanted = [head].compactMap { $0?.number }
      let file = AuditHeadFile(of: path)
      // The log may grow meanwhile: a head that is read first is not ahead of it.
      let contents = try file.contents()
      let anybodys = contents.flatMap { AuditHead(signed: $0, by: keys.keys.values.flatMap { $0 }) }
      wanted += [anybodys?.number].compactMap { $0 }
      let reader = try ChainedLines.read(at: path, from: AuditScan()) { line, number in
        check.take(line, number, watching: wanted)
      }
      // Whose log it is, the lines have told: another participant's head would hide that lines are gone.
      let writers = check.report.participant.flatMap { keys.keys[$0] } ?? []
      if let own = contents.flatMap({ AuditHead(signed: $0, by: writers) }) {
        check.compare(own, as: "the head in \(file.path)")
      } else {
        check.report.add(
          contents != nil
            ? "\(file.path) is not as it was written: lines may be missing at the end"
            : "\(file.path) is missing: lines may be missing at the end"
        )
      }
      if let owner, let found = check.report.participant, found != owner {
        check.report.add("it is the log of \(found), and not of \(owner)")
      }
      if let head { check.compare(head, as: "the head that was given") }
      if !reader.tail.isEmpty {
        check.tail(reader.tail)
      }
      return check.finish()
    }
  }
}

/// The state of a verification.
private struct AuditCheck {
  var report = AuditReport()
  private let keys: AuditKeys
  /// What the next line must be.
  private var next = 1
  private var digest = AuditLine.start
  private var digests: [Int: String] = [0: AuditLine.start]
  private var unreadable = 0

  init(_ keys: AuditKeys) {
    self.keys = keys
  }

  mutating func take(_ line: ArraySlice<UInt8>, _ place: Int, watching numbers: [Int]) {
    report.lines += 1
    let before = digest
    digest = AuditLine.digest(of: line)
    guard let parts = AuditLine(line) else {
      report.add("was altered: it is no line of an audit log", line: place)
      next += 1
      return
    }
    if numbers.contains(parts.number) { digests[parts.number] = digest }
    let expected = next
    let isSigned = isSigned(parts)
    // What nobody has signed may say any number.
    next = (isSigned ? parts.number : expected) + 1
    if report.lines == 1 { report.origin = digest }
    if !isSigned {
      let owner = report.participant ?? "anybody whose key is known"
      report.add("was altered: its signature is not that of \(owner)", line: place)
    } else if parts.number > expected {
      let count = parts.number - expected
      report.add(
        count == 1
          ? "what was line \(expected) is missing before it"
          : "what were lines \(expected) to \(parts.number - 1) is missing before it",
        line: place
      )
    } else if parts.number < expected {
      report.add("was moved or added: its number is \(parts.number)", line: place)
    } else if parts.previous != before {
      report.add("the line before it is not the one that was there", line: place)
    }
    note(parts, place)
  }

  /// What follows the last line.
  mutating func tail(_ bytes: [UInt8]) {
    if AuditLine(bytes[...]) != nil || AuditLine(bytes.dropLast()) != nil {
      report.add("was altered: its end is missing", line: report.lines + 1)
    } else {
      report.notes.append(
        "\(bytes.count) bytes of a line at the end that was not finished, as a kill leaves it"
      )
    }
  }

  mutating func compare(_ head: AuditHead, as name: String) {
    guard head.number < next else {
      let count = head.number - (next - 1)
      report.add(
        "\(count) \(count == 1 ? "line is" : "lines are") missing at the end, by \(name)"
      )
      return
    }
    if digests[head.number] != head.digest {
      report.add("line \(head.number) is not the one that was there, by \(name)")
    }
  }

  func finish() -> AuditReport {
    var report = report
    report.head = AuditHead(number: next - 1, digest: digest)
    if unreadable > 0 {
      let what = unreadable == 1 ? "1 line is" : "\(unreadable) lines are"
      report.notes.append("\(what) of a version that this one cannot read")
    }
    return report
  }

  /// Whether the log's participant, who is found by the first line, has signed a line.
  private mutating func isSigned(_ line: AuditLine) -> Bool {
    if let owner = report.participant {
      return (keys.keys[owner] ?? []).contains { line.isSigned(by: $0) }
    }
    // In a file without a line that is right, nobody has to be asked for each.
    guard report.lines < 100 else { return false }
    report.participant = keys.keys.first { $0.value.contains { line.isSigned(by: $0) } }?.key
    return report.participant != nil
  }

  private mutating func note(_ line: AuditLine, _ place: Int) {
    guard let entry = AuditEntry(encoded: line.entry) else {
      unreadable += 1
      return
    }
    if report.first == nil { report.first = entry.time }
    if let last = report.last, entry.time < last, report.notes.count < 20 {
      report.notes.append("line \(place): the clock was set back")
    }
    report.last = entry.time
    if case .repaired(let reason, damage: .withoutHead) = entry.event {
      report.add("it was opened without knowing how long it was: \(reason)", line: place)
    }
    if case .opened(let participant, _, _) = entry.event, let owner = report.participant,
      participant != owner
    {
      report.add("says that \(participant) writes it, and \(owner) has signed it", line: place)
    }
  }
}
