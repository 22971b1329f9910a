internal import ArgumentParser
internal import Foundation
internal import SystemPackage
internal import TesseraCommandLine
internal import TesseraDeployment
internal import TesseraProvisioning
internal import TesseraRun

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

  private var isKit: Bool { Self.isFolder(log) }

  private static func isFolder(_ path: String) -> Bool {
    var isFolder: ObjCBool = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
      && isFolder.boolValue
  }

  /// Where the log lies.
  var path: FilePath { Self.path(of: log) }

  /// Where the log of a kit, or of a file, lies.
  static func path(of log: String) -> FilePath {
    isFolder(log) ? AuditLog.path(of: FilePath(log)) : FilePath(log)
  }

  /// Whose log it must be: the kit's own, if it was named by its kit.
  func owner() throws -> String? {
    isKit ? try StartupKit(contentsOf: FilePath(log)).participant.name : nil
  }

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

      --against lays the log of a server and that of a site side by side: both name the digest of each task that the site was \
      given, and of each answer of it that counted. The first on which they disagree is named first; it ends with 2 then, too.
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

  @Option(
    help: ArgumentHelp(
      "The kit, or the log's file, of the other side: of a site if this is a server's, and the other way round. Of two servers that stand in for each other, both.",
      valueName: "log"
    ),
    completion: .file()
  )
  var against: [String] = []

  @Option(help: "Compare only what is about this job.")
  var job: String?

  @OptionGroup var answer: AnswerOptions

  private struct Found: Encodable {
    var isWhole: Bool
    var participant: String?
    var origin: String?
    var lines: Int
    var first: String?
    var last: String?
    var head: String?
    var problems: [AuditReport.Problem]
    var notes: [String]
    var comparison: AuditComparison?
  }

  func run() async throws {
    try await reportingErrors(asJSON: answer.json) {
      let earlier = try since.map { text in
        guard let head = AuditHead(text) else {
          throw ValidationError("The value '\(text)' is invalid for '--since <number:digest>'")
        }
        return head
      }
      let whose = try audit.kit(kit)
      let keys = try AuditKeys(of: whose)
      let report = try AuditLog.verify(
        at: audit.path,
        keys: keys,
        of: audit.owner(),
        since: earlier
      )
      var words = Self.words(for: report, of: audit.path)
      var isGood = report.isWhole
      var comparison: AuditComparison?
      if !against.isEmpty {
        var logs = [(path: audit.path, report: report)]
        for other in against.map(AuditOptions.path(of:)) {
          logs.append((other, try AuditLog.verify(at: other, keys: keys)))
          words += Self.words(for: logs[logs.count - 1].report, of: other)
        }
        let found = try compare(logs, knowing: whose)
        words += Self.words(for: found)
        isGood = logs.allSatisfy(\.report.isWhole) && found.agrees
        comparison = found
      }
      try answer.say(
        Found(
          isWhole: report.isWhole,
          participant: report.participant,
          origin: report.origin,
          lines: report.lines,
          first: report.first?.ISO8601Format(),
          last: report.last?.ISO8601Format(),
          head: report.head?.description,
          problems: report.problems,
          notes: report.notes,
          comparison: comparison
        ),
        words
      )
      if !isGood { throw ExitCode(2) }
    }
  }

  /// Lays the logs side by side.
  private func compare(
    _ logs: [(path: FilePath, report: AuditReport)],
    knowing kit: StartupKit
  ) throws -> AuditComparison {
    func paths(_ kind: Participant.Kind) -> [(path: FilePath, report: AuditReport)] {
      logs.filter { log in
        log.report.participant.flatMap { kit.participants[$0]?.participant.kind } == kind
      }
    }
    let (servers, sites) = (paths(.server), paths(.site))
    guard let site = sites.first, let name = site.report.participant, sites.count == 1,
      servers.count == logs.count - 1
    else {
      let whose = logs.map { $0.report.participant ?? "nobody known" }
      throw ValidationError(
        "--against compares the log of a site with that of its server, or servers: these are of \(whose.joined(separator: ", "))"
      )
    }
    return try AuditLog.compare(
      servers: servers.map(\.path),
      site: site.path,
      of: name,
      job: job
    )
  }

  private static func words(for report: AuditReport, of path: FilePath) -> [String] {
    var words = report.problems.map(\.description) + report.notes.map { "Note: \($0)." }
    guard report.isWhole else { return words + ["\(path) is not as it was written."] }
    let times = [report.first, report.last].compactMap { $0?.ISO8601Format() }
    words.append(
      "\(path) is whole: \(report.lines) lines of \(report.participant ?? "nobody"), "
        + times.joined(separator: " to ")
    )
    if let origin = report.origin { words.append("Begins with: \(origin.prefix(12))…") }
    if let head = report.head { words.append("Head: \(head)") }
    return words
  }

  private static func words(for found: AuditComparison) -> [String] {
    var words: [String] = []
    if found.notReceived > 0 {
      words.append(
        "Note: \(counted(found.notReceived, "task")) of the server never came to \(found.site)."
      )
    }
    if found.notCounted > 0 {
      words.append(
        "Note: \(counted(found.notCounted, "answer")) of \(found.site) did not count at the server."
      )
    }
    guard let first = found.differences.first else {
      return words + [
        "The logs agree: \(counted(found.tasks, "task")) of \(found.site), and \(counted(found.contributions, "answer")) that counted."
      ]
    }
    words.append("The logs disagree, first on \(first).")
    words += found.differences.dropFirst().map { "Also: \($0)." }
    return words
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

  private struct Shown: Encodable {
    var lines: [AuditedEvent]
  }

  func validate() throws {
    guard last ?? 1 >= 1 else {
      throw ValidationError("The value '\(last ?? 0)' is invalid for '--last <1...>'")
    }
  }

  func run() async throws {
    try await reportingErrors(asJSON: answer.json) {
      var lines: [AuditedEvent] = []
      try AuditLog.read(at: audit.path) { number, entry in
        guard job == nil || entry.event.job == job else { return }
        lines.append(AuditedEvent(number: number, entry))
        // Of a log of years, no more is kept than is shown.
        if let last, lines.count >= 2 * last { lines.removeFirst(lines.count - last) }
      }
      if let last { lines = lines.suffix(last) }
      try answer.say(
        Shown(lines: lines),
        lines.map {
          TerminalText.line("\($0.number)  \($0.time.ISO8601Format())  \($0.event)")
        }
      )
    }
  }
}
