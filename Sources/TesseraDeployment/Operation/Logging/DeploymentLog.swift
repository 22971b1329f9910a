public import Foundation
public import Logging
internal import Synchronization
public import SystemPackage

/// The log of a server or a site: to standard error, to files in a folder, and of each job to a file of its own.
///
///     let log = DeploymentLog(format: .text, folder: kit.appending("logs"), name: "server", jobs: kit.appending("jobs"))
///     var logger = log.logger("tessera.server")
///     logger[metadataKey: "job"] = "\(job.id)"
///     logger.info("the job begins", metadata: ["sites": "\(sites.count)"])
///
/// The metadata `job` and `site` say what a message is about; with `job`, it is in the job's file too. Messages name files, sites
/// and jobs, never data or secrets. A full disk does not stop the program: it is said once on standard error, and the file says
/// how many lines it lacks once there is room again.
public final class DeploymentLog: Sendable {
  /// From which level on messages are written.
  public let control: LogControl

  private let format: LogLine.Format
  private let isColoured: Bool
  private let console: FileDescriptor?
  private let file: LogFile?
  private let jobs: JobLogs?
  private let now: @Sendable () -> Date
  private let counter: (@Sendable (Logger.Level) -> Void)?
  /// So that lines of several threads do not mix on a terminal.
  private let consoleLock = Mutex(())

  /// A log.
  ///
  /// - Parameters:
  ///   - control: From which level on messages are written.
  ///   - format: How lines are written to `console`; files have JSON.
  ///   - console: Where lines are shown; nowhere if `nil`.
  ///   - folder: Where `NAME.jsonl` and its predecessors lie, which is made if it is not there; no file if `nil`.
  ///   - name: What the file is called.
  ///   - jobs: The folder in which each job has a folder, by its id; no files of jobs if `nil`.
  ///   - limits: How much the folder keeps.
  ///   - jobLimits: How much each job's folder keeps.
  ///   - now: Tells the time.
  ///   - counter: Is told the level of each message, from any thread.
  public init(
    control: LogControl = LogControl(),
    format: LogLine.Format = .text,
    console: FileDescriptor? = .standardError,
    folder: FilePath? = nil,
    name: String = "tessera",
    jobs: FilePath? = nil,
    limits: LogFile.Limits = LogFile.Limits(),
    jobLimits: LogFile.Limits = .job,
    now: @escaping @Sendable () -> Date = { Date() },
    counter: (@Sendable (Logger.Level) -> Void)? = nil
  ) {
    self.control = control
    self.format = format
    self.console = console
    isColoured =
      console.map { isatty($0.rawValue) == 1 } ?? false
      && ProcessInfo.processInfo.environment["NO_COLOR", default: ""].isEmpty
    if let folder { mkdir(folder.string, 0o750) }
    file = folder.map { LogFile($0.appending("\(name).jsonl"), limits: limits) }
    self.jobs = jobs.map { JobLogs($0, limits: jobLimits) }
    self.now = now
    self.counter = counter
  }

  /// A logger that writes here.
  ///
  /// - Parameters:
  ///   - label: The part of the program, as `tessera.server.jobs`.
  ///   - metadata: What all its messages are about: `site`, `job`.
  /// - Returns: The logger.
  public func logger(_ label: String, metadata: Logger.Metadata = [:]) -> Logger {
    var logger = Logger(label: label) { label in
      DeploymentLogHandler(label: label, log: self)
    }
    for (key, value) in metadata { logger[metadataKey: key] = value }
    return logger
  }

  /// Closes a job's file: nothing more comes, or the job's folder is about to go.
  public func finish(job: String) { jobs?.finish(job) }

  /// The file of a job's log in the folder of all jobs.
  public static func file(of job: String, in jobs: FilePath) -> FilePath {
    JobLogs.file(of: job, in: jobs)
  }

  func write(_ line: LogLine) {
    counter?(line.level)
    show(line)
    for file in [file, jobs?.file(for: line)].compactMap(\.self) {
      let outcome = file.append(line.written(as: .json)) { lost in
        own("\(lost) messages are missing here: the file could not be written", .warning)
          .written(as: .json)
      }
      switch outcome {
      case .written, .lost: break
      case .failed(let reason):
        show(own("\(reason); messages are left out until it can be", .error))
      case .recovered(let lost):
        show(own("\(file.path) is written again; \(lost) messages are missing", .warning))
      }
    }
  }

  private func own(_ message: String, _ level: Logger.Level) -> LogLine {
    LogLine(message, level: level, label: "tessera.log", at: now())
  }

  private func show(_ line: LogLine) {
    guard let console else { return }
    let text = line.written(as: format, isColoured: isColoured)
    // Who reads it may be gone: that stops nothing.
    _ = consoleLock.withLock { _ in try? console.writeAll(Array(text.utf8) + [0x0A]) }
  }

  func line(_ event: LogEvent, label: String, metadata: Logger.Metadata) -> LogLine {
    LogLine(event, label: label, metadata: metadata, at: now())
  }
}
