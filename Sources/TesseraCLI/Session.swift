internal import ArgumentParser
internal import Foundation
internal import Synchronization
internal import SystemPackage
internal import TesseraCommandLine
internal import TesseraFederation
internal import TesseraRun

/// A run that someone watches: progress, the table at the end, and stopping on Ctrl-C.
final class Session: Sendable {
  let output: ProgressOutput
  private let isJSON: Bool
  private let progress = Mutex(RunProgress())

  /// A run that someone watches.
  ///
  /// - Parameter json: Whether standard output is for a program: what is for people then goes to standard error.
  init(json: Bool = false) {
    isJSON = json
    output =
      json
      ? ProgressOutput(.plain) { text in
        try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
      } : ProgressOutput()
  }

  /// Reads data, with progress where there are many files.
  func reading<Result>(
    _ what: String,
    _ body: (_ progress: (_ read: Int, _ of: Int) -> Void) throws -> Result
  ) throws -> Result {
    output.line("Reading \(what) …")
    defer { output.clear() }
    return try body { read, count in
      // Often enough to be seen moving.
      guard read % 100 == 0 else { return }
      output.status("  \(grouped(read)) of \(grouped(count)) images")
    }
  }

  /// Carries out work that Ctrl-C and `kill` cancel, showing what it reports.
  func watch<Result: Sendable>(
    _ work: ExperimentWork,
    _ body:
      @escaping @Sendable (@escaping @Sendable (ExperimentEvent) -> Void) async throws -> Result
  ) async throws -> Result {
    progress.withLock { $0.start(work) }
    let task = Task { try await body { self.show($0) } }
    let signals = StopSignals { task.cancel() }
    defer {
      signals.cancel()
      output.clear()
    }
    return try await task.value
  }

  /// Runs an experiment to its end, and says what came of it.
  ///
  /// - Throws: `ExitCode(130)` if it was stopped; the record can then be resumed.
  func run(_ experiment: any Experiment, in record: RunRecord) async throws {
    let earlier = try record.manifest()
    output.line(
      """
      \(counted(earlier.sites.count, "site")), \
      \(grouped(earlier.sites.reduce(0) { $0 + $1.examples })) examples, \
      \(counted(experiment.lanes, "lane")). Ctrl-C stops, and keeps what is done.
      """
    )
    do {
      let manifest = try await watch(experiment.work(of: earlier, isRepetition: false)) { observe in
        try await experiment.run(in: record, observe: observe)
      }
      try writeReport(manifest, record)
      try finish(manifest, record)
    } catch let error as RunError where error.code == .inUse {
      throw error
    } catch {
      let manifest = try record.manifest()
      let isStopped = error is CancellationError
      if isStopped {
        let comparisons =
          manifest.curves.isEmpty ? "" : " and \(counted(manifest.curves.count, "comparison"))"
        output.line(
          """
          Stopped after \(counted(manifest.roundCount, "round"))\(comparisons); what was finished \
          is kept. To go on:
          """
        )
      } else {
        output.line("What was finished is kept. To go on when the cause is mended:")
      }
      output.line("\n    ./tessera resume \(record.folder.quoted)\n")
      guard isStopped else {
        // The error is what matters, even if there is no room for a report.
        try? writeReport(manifest, record)
        throw error
      }
      try writeReport(manifest, record)
      if isJSON { print(try PrintedJSON.of(RunSummary(manifest, of: record))) }
      throw ExitCode(130)
    }
  }

  /// Writes the report of a run, as far as it has come.
  func writeReport(_ manifest: RunManifest, _ record: RunRecord) throws {
    try ReportPage(manifest, of: record, folder: record.folder.quoted).write(to: record.reportFile)
  }

  private func show(_ event: ExperimentEvent) {
    let (line, status) = progress.withLock { $0.handle(event) }
    if let line { output.line(line) }
    if let status { output.status(status) }
  }

  /// Says what came of a run.
  func finish(_ manifest: RunManifest, _ record: RunRecord) throws {
    let summary = RunSummary(manifest, of: record)
    if isJSON { return print(try PrintedJSON.of(summary)) }
    output.line("")
    for line in summary.lines { output.line(line) }
    output.line("")
    output.line(
      "Trained in \(TimeLeft.text(manifest.trainingSeconds)). Report: \(record.reportFile)"
    )
    output.line("Next, prove that the result can be repeated, bit for bit:")
    output.line("\n    ./tessera verify \(record.folder.quoted)\n")
  }
}

extension FilePath {
  /// The path as a shell takes it.
  fileprivate var quoted: String {
    let path = string
    let isPlain = path.utf8.allSatisfy { byte in
      UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte || UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte
        || UInt8(ascii: "A")...UInt8(ascii: "Z") ~= byte || "/._-+".utf8.contains(byte)
    }
    return isPlain ? path : "'" + path.replacing("'", with: "'\\''") + "'"
  }
}
