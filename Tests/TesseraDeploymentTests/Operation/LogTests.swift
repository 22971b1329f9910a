import Foundation
import Logging
import Synchronization
import SystemPackage
import TesseraDeployment
import TesseraTesting
import Testing

@Suite struct LogTests {
  let folder: TemporaryFolder
  let now = Date(timeIntervalSince1970: 1_800_000_000.5)

  init() throws { folder = try TemporaryFolder() }

  /// A log that shows its lines in a file.
  private func log(
    _ format: LogLine.Format = .text,
    control: LogControl = LogControl(),
    jobs: FilePath? = nil,
    limits: LogFile.Limits = LogFile.Limits(),
    counter: (@Sendable (Logger.Level) -> Void)? = nil
  ) throws -> (DeploymentLog, shown: () throws -> [String]) {
    let path = folder.path.appending("console")
    let console = try FileDescriptor.open(
      path,
      .writeOnly,
      options: [.create, .append],
      permissions: [.ownerReadWrite]
    )
    let log = DeploymentLog(
      control: control,
      format: format,
      console: console,
      folder: folder.path.appending("logs"),
      name: "server",
      jobs: jobs,
      limits: limits,
      now: { [now] in now },
      counter: counter
    )
    return (log, { try Self.lines(of: path) })
  }

  private static func lines(of path: FilePath) throws -> [String] {
    try String(contentsOfFile: path.string, encoding: .utf8).split(separator: "\n").map(String.init)
  }

  private var file: FilePath { folder.path.appending("logs/server.jsonl") }

  @Test func textHasTimeLevelJobAndSiteBeforeTheMessage() throws {
    let (log, shown) = try log()
    var logger = log.logger("tessera.server", metadata: ["site": "north"])
    logger[metadataKey: "job"] = "chest-1"
    logger.warning("an answer was refused", metadata: ["reason": "it holds NaN", "round": "3"])
    #expect(
      try shown() == [
        "2027-01-15T08:00:00.500Z warning  job=chest-1 site=north an answer was refused"
          + " reason=\"it holds NaN\" round=3 (tessera.server)"
      ]
    )
  }

  @Test func jsonIsOneObjectALineWhateverIsSaid() throws {
    let (log, shown) = try log(.json)
    let message = "a\nb\r\t\"c\" \\ \u{1B}[31m \u{0} \u{7F} \u{85} \u{2028} \u{202E} ä 中 🙂"
    log.logger("tessera").error(
      "\(message)",
      metadata: ["time": "never", "job": "a\nb", "a\"b": "\u{0}"]
    )
    for lines in [try shown(), try Self.lines(of: file)] {
      let line = try #require(lines.first)
      #expect(lines.count == 1)
      let object = try #require(
        try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: String]
      )
      #expect(object["message"] == message)
      #expect(object["job"] == "a\nb")
      #expect(object["level"] == "error")
      #expect(object["time"] == "2027-01-15T08:00:00.500Z")
      #expect(object["time_"] == "never")
      #expect(object["a\"b"] == "\u{0}")
    }
  }

  @Test func nothingInAMessageEndsALineOrMovesTheCursor() throws {
    let (log, shown) = try log()
    let codes: [UInt32] = Array(0..<0x20) + [0x7F, 0x85, 0x9B, 0x2028, 0x2029, 0x202E, 0x2066]
    let unsafe = codes.compactMap { UnicodeScalar($0) }
    var text = ""
    for scalar in unsafe { text.unicodeScalars.append(scalar) }
    log.logger(text, metadata: ["job": "\(text)"]).info("\(text)", metadata: [text: "\(text)"])
    let lines = try String(contentsOfFile: folder.path.appending("console").string, encoding: .utf8)
    #expect(lines.unicodeScalars.count { unsafe.contains($0) } == 1, "the end of the line alone")
    #expect(try shown().count == 1)
  }

  @Test func secretsAndLongListsAreNotShown() throws {
    let (log, shown) = try log(.json)
    let key = """
      -----BEGIN CERTIFICATE-----
      AAAA
      -----END CERTIFICATE-----
      -----BEGIN EC PRIVATE KEY-----
      MHcCAQEEIsecret
      -----END EC PRIVATE KEY-----
      after
      """
    log.logger("tessera").info(
      "read \(key)",
      metadata: [
        "Token": "abcsecret", "nested": ["password": "xyzsecret", "user": "ada"],
        "values": .array((0..<100).map { "\($0)" }),
        "open": "-----BEGIN PRIVATE KEY-----\nsecret without an end",
      ]
    )
    log.logger("tessera").info("\(String(repeating: "x", count: 100_000))")
    let lines = try shown() + Self.lines(of: file)
    #expect(!lines.contains { $0.contains("secret") })
    #expect(lines[0].contains("AAAA") && lines[0].contains("after") && lines[0].contains("ada"))
    #expect(lines[0].contains("84 more") && !lines[0].contains("17, "))
    #expect(lines[1].utf8.count < 10_000)
    #expect(lines[1].contains("91808 characters more"))
  }

  @Test func levelsChangeWhileItRuns() throws {
    let control = LogControl(level: .info)
    let (log, shown) = try log(control: control)
    let server = log.logger("tessera.server")
    let jobs = log.logger("tessera.server.jobs")
    let other = log.logger("tessera.serverless")
    server.debug("1")
    control.set(.debug, for: "tessera.server")
    server.debug("2")
    jobs.debug("3")
    other.debug("4")
    control.set(.error, for: "tessera.server.jobs")
    jobs.info("5")
    server.debug("6")
    control.set(nil, for: "tessera.server")
    server.debug("7")
    control.set(.trace)
    server.trace("8")
    jobs.info("9")
    #expect(control.levels == ["tessera.server.jobs": .error])
    var own = server
    own.logLevel = .critical
    own.error("10")
    server.error("11")
    #expect(
      try shown().map { $0.split(separator: " ")[2] } == ["2", "3", "6", "8", "11"]
    )
  }

  @Test func eachJobHasItsOwnFile() throws {
    let jobs = folder.path.appending("jobs")
    for job in ["a-1", "b-2"] {
      try FileManager.default.createDirectory(
        atPath: jobs.appending(job).string,
        withIntermediateDirectories: true
      )
    }
    let (log, _) = try log(jobs: jobs)
    let logger = log.logger("tessera.server")
    logger.info("all")
    logger.info("one", metadata: ["job": "a-1"])
    logger.info("two", metadata: ["job": "b-2", "site": "north"])
    logger.info("three", metadata: ["job": "a-1"])
    logger.info("no folder", metadata: ["job": "c-3"])
    for path in ["../../escape", "a-1/../../escape", "..", ".", "", "/tmp"] {
      logger.info("elsewhere", metadata: ["job": "\(path)"])
    }
    func messages(_ path: FilePath) throws -> [String] {
      try LogFile.lines(of: path, last: 100).map { line in
        let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: String]
        return object?["message"] ?? ""
      }
    }
    #expect(try messages(DeploymentLog.file(of: "a-1", in: jobs)) == ["one", "three"])
    #expect(try messages(DeploymentLog.file(of: "b-2", in: jobs)) == ["two"])
    #expect(try messages(file).count == 11)
    #expect(Set(folder.names) == ["console", "jobs", "logs"])
    let found = try FileManager.default.subpathsOfDirectory(atPath: jobs.string)
    #expect(Set(found) == ["a-1", "a-1/log.jsonl", "b-2", "b-2/log.jsonl"])
  }

  @Test func aJobThatIsGoneIsWrittenNoMoreAndOneThatComesBackIs() throws {
    let jobs = folder.path.appending("jobs")
    let job = jobs.appending("a-1")
    let (log, _) = try log(jobs: jobs)
    let logger = log.logger("tessera.server", metadata: ["job": "a-1"])
    for _ in 0..<2 {
      try FileManager.default.createDirectory(
        atPath: job.string,
        withIntermediateDirectories: true
      )
      logger.info("here")
      #expect(try LogFile.lines(of: DeploymentLog.file(of: "a-1", in: jobs), last: 9).count == 1)
      log.finish(job: "a-1")
      try FileManager.default.removeItem(atPath: job.string)
    }
    logger.info("gone")
    #expect(!FileManager.default.fileExists(atPath: job.string))
  }

  @Test func filesBeginAnewAndTheOldestGo() throws {
    let (log, _) = try log(limits: .init(fileSize: 1000, fileCount: 3))
    let logger = log.logger("tessera")
    for number in 0..<100 { logger.info("message \(number)") }
    let names = try FileManager.default.contentsOfDirectory(
      atPath: folder.path.appending("logs").string
    ).sorted()
    #expect(names == ["server.1.jsonl", "server.2.jsonl", "server.jsonl"])
    for name in names {
      let size = try folder.bytes(of: folder.path.appending("logs").appending(name)).count
      #expect((1...1000).contains(size))
    }
    let lines = try LogFile.lines(of: file, last: 12)
    #expect(lines.count == 12)
    for (number, line) in zip(88..<100, lines) {
      #expect(line.contains("\"message \(number)\""))
    }
    #expect(try LogFile.lines(of: file, last: 1000).count < 40)
    #expect(try LogFile.lines(of: folder.path.appending("none"), last: 10).isEmpty)
  }

  @Test func aProgramThatStartsAgainGoesOnWithItsFile() throws {
    for _ in 0..<2 { try log().0.logger("tessera").info("here") }
    #expect(try Self.lines(of: file).count == 2)
  }

  @Test func whatCannotBeWrittenIsSaidOnceAndCounted() throws {
    let (log, shown) = try log(.json)
    let logger = log.logger("tessera")
    logger.info("before")
    // No file can be made where a folder is.
    let aside = folder.path.appending("aside")
    try FileManager.default.moveItem(
      atPath: folder.path.appending("logs").string,
      toPath: aside.string
    )
    let (broken, _) = try self.log(.json)
    try FileManager.default.removeItem(atPath: folder.path.appending("logs").string)
    let again = broken.logger("tessera")
    for number in 0..<5 { again.info("lost \(number)") }
    let failures = try shown().filter { $0.contains("cannot be written") }
    #expect(failures.count == 1)
    #expect(failures.first?.contains("logs/server.jsonl") == true)
    try FileManager.default.moveItem(
      atPath: aside.string,
      toPath: folder.path.appending("logs").string
    )
    again.info("after")
    #expect(try shown().count { $0.contains("5 messages are missing") } == 1)
    let lines = try Self.lines(of: file)
    #expect(lines.count == 3)
    #expect(lines[1].contains("5 messages are missing here"))
    #expect(lines[2].contains("\"after\""))
  }

  @Test(.enabled(if: geteuid() == 0 || access("/dev/full", W_OK) == 0))
  func aFullDiskStopsNothing() throws {
    try FileManager.default.createDirectory(
      atPath: folder.path.appending("logs").string,
      withIntermediateDirectories: true
    )
    try FileManager.default.createSymbolicLink(
      atPath: file.string,
      withDestinationPath: "/dev/full"
    )
    let (log, shown) = try log(.json)
    for number in 0..<5 { log.logger("tessera").info("message \(number)") }
    let lines = try shown()
    #expect(lines.count { $0.contains("No space left on device") } == 1)
    #expect(lines.count == 6)
    try FileManager.default.removeItem(atPath: file.string)
  }

  @Test func aTerminalThatIsGoneStopsNothing() throws {
    let (reading, writing) = try FileDescriptor.pipe()
    try reading.close()
    signal(SIGPIPE, SIG_IGN)
    let log = DeploymentLog(console: writing)
    log.logger("tessera").info("to nobody")
    try writing.close()
    log.logger("tessera").info("to nobody")
  }

  @Test func linesOfManyThreadsDoNotMix() async throws {
    let counts = Mutex<[Logger.Level: Int]>([:])
    let (log, shown) = try log(.json, limits: .init(fileSize: 20_000, fileCount: 100)) { level in
      counts.withLock { $0[level, default: 0] += 1 }
    }
    await withTaskGroup { group in
      for task in 0..<8 {
        group.addTask {
          let logger = log.logger("tessera")
          for number in 0..<200 { logger.notice("\(task) \(number)") }
        }
      }
    }
    for lines in [try shown(), try LogFile.lines(of: file, last: 10_000)] {
      #expect(lines.count == 1600)
      #expect(Set(lines).count == 1600)
      for line in lines {
        #expect((try? JSONSerialization.jsonObject(with: Data(line.utf8))) != nil)
      }
    }
    #expect(counts.withLock { $0 } == [.notice: 1600])
  }
}
