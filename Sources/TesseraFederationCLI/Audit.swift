internal import ArgumentParser
internal import Foundation
internal import SystemPackage
internal import TesseraCommandLine
internal import TesseraDeployment
internal import TesseraProvisioning

struct Audit: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Reads the log of what a server or a site has done and decided.",
    subcommands: [AuditVerify.self, AuditShow.self]
  )
}

/// Which log, and by whose keys it is read.
struct AuditOptions: ParsableArguments {
  @Argument(help: "A start-up kit, or a log's file.", completion: .file())
  var log: String

  private var isKit: Bool {
    var isFolder: ObjCBool = false
    return FileManager.default.fileExists(atPath: log, isDirectory: &isFolder)
      && isFolder.boolValue
  }

  /// Where the log lies.
  var path: FilePath { isKit ? AuditLog.path(of: FilePath(log)) : FilePath(log) }

  /// The kit that knows who can have signed it.
  func kit(_ other: String?) throws -> StartupKit {
    guard let folder = other ?? (isKit ? log : nil) else {
      throw ValidationError("The log's file alone does not say who can have signed it: add --kit")
    }
    return try StartupKit(contentsOf: FilePath(folder))
  }
}

struct AuditVerify: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Finds lines of a log that were altered, removed, added or moved.",
    discussion: """
      Ends with 2 if there are any. Each line is signed, and holds the digest of the one before it; which was the last is kept \
      beside the log. What cannot be found is a log that is put back as a whole to an earlier state: keep the head that this \
      prints, and give it to --since the next time.
      """
  )

  @OptionGroup var audit: AuditOptions

  @Option(
    help: "A kit of the federation; it knows who can have signed the log.",
    completion: .directory
  )
  var kit: String?

  @Option(help: "The head that was printed at some time, NUMBER:DIGEST.")
  var since: String?

  @OptionGroup var answer: AnswerOptions

  private struct Found: Encodable {
    var isWhole: Bool
    var participant: String?
    var lines: Int
    var first: String?
    var last: String?
    var head: String?
    var problems: [AuditReport.Problem]
    var notes: [String]
  }

  func run() async throws {
    try await reportingErrors {
      let earlier = try since.map { text in
        guard let head = AuditHead(text) else {
          throw ValidationError("The value '\(text)' is invalid for '--since <number:digest>'")
        }
        return head
      }
      let report = try AuditLog.verify(
        at: audit.path,
        keys: AuditKeys(of: audit.kit(kit)),
        since: earlier
      )
      var words = report.problems.map(\.description) + report.notes.map { "Note: \($0)." }
      if report.isWhole {
        let times = [report.first, report.last].compactMap { $0?.ISO8601Format() }
        words.append(
          "\(audit.path) is whole: \(report.lines) lines of \(report.participant ?? "nobody"), "
            + times.joined(separator: " to ")
        )
        if let head = report.head { words.append("Head: \(head)") }
      } else {
        words.append("\(audit.path) is not as it was written.")
      }
      try answer.say(
        Found(
          isWhole: report.isWhole,
          participant: report.participant,
          lines: report.lines,
          first: report.first?.ISO8601Format(),
          last: report.last?.ISO8601Format(),
          head: report.head?.description,
          problems: report.problems,
          notes: report.notes
        ),
        words
      )
      if !report.isWhole { throw ExitCode(2) }
    }
  }
}

struct AuditShow: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show",
    abstract: "Prints what a log tells; 'verify' says whether it is true."
  )

  @OptionGroup var audit: AuditOptions

  @Option(help: "Only what is about this job.")
  var job: String?

  @Option(help: "Only the last lines, so many.")
  var last: Int?

  @OptionGroup var answer: AnswerOptions

  private struct Line: Encodable {
    var number: Int
    var time: String
    var event: AuditEvent
    var words: String
  }

  private struct Shown: Encodable {
    var lines: [Line]
  }

  func validate() throws {
    guard last ?? 1 >= 1 else {
      throw ValidationError("The value '\(last ?? 0)' is invalid for '--last <1...>'")
    }
  }

  func run() async throws {
    try await reportingErrors {
      var lines: [Line] = []
      try AuditLog.read(at: audit.path) { number, entry in
        guard job == nil || entry.event.job == job else { return }
        lines.append(
          Line(
            number: number,
            time: entry.time.ISO8601Format(),
            event: entry.event,
            words: entry.event.description
          )
        )
        // Of a log of years, no more is kept than is shown.
        if let last, lines.count >= 2 * last { lines.removeFirst(lines.count - last) }
      }
      if let last { lines = lines.suffix(last) }
      try answer.say(
        Shown(lines: lines),
        lines.map { "\($0.number)  \($0.time)  \($0.words)" }
      )
    }
  }
}
