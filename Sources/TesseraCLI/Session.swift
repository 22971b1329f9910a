internal import ArgumentParser
internal import Dispatch
internal import Foundation
internal import Synchronization
internal import TesseraFederation
internal import TesseraRun

/// A run that someone watches: progress, the table at the end, and stopping on Ctrl-C.
final class Session: Sendable {
  let output = ProgressOutput()
  private let progress = Mutex(RunProgress())

  /// Runs an experiment to its end, and says what came of it.
  ///
  /// - Throws: `ExitCode(130)` if it was stopped; the record can then be resumed.
  func run(_ experiment: ImageExperiment, in record: RunRecord) async throws {
    let earlier = try record.manifest()
    progress.withLock { $0.start(experiment, after: earlier) }
    output.line(
      """
      \(earlier.sites.count) sites, \(grouped(earlier.sites.reduce(0) { $0 + $1.examples })) images, \
      \(experiment.configuration.lanes) lanes. Ctrl-C stops, and keeps what is done.
      """
    )
    let training = Task {
      try await experiment.run(in: record) { self.show($0) }
    }
    let signals = StopSignals { training.cancel() }
    defer { signals.cancel() }
    do {
      let manifest = try await training.value
      output.clear()
      try ReportPage(manifest, folder: "\(record.folder)").write(to: record.reportFile)
      finish(manifest, record)
    } catch is CancellationError {
      output.clear()
      let manifest = try record.manifest()
      try ReportPage(manifest, folder: "\(record.folder)").write(to: record.reportFile)
      output.line("Stopped after \(manifest.rounds.count) rounds; nothing is lost. To go on:")
      output.line("\n    ./tessera resume \(record.folder)\n")
      throw ExitCode(130)
    }
  }

  private func show(_ event: ExperimentEvent) {
    let (line, status) = progress.withLock { $0.handle(event) }
    if let line { output.line(line) }
    if let status { output.status(status) }
  }

  private func finish(_ manifest: RunManifest, _ record: RunRecord) {
    let width = manifest.results.map(\.name.count).max() ?? 0
    output.line("")
    for result in manifest.results {
      let name = result.name.padding(toLength: width, withPad: " ", startingAt: 0)
      output.line("  \(name)  \(String(format: "%5.1f %%", result.accuracy * 100))")
    }
    output.line("")
    output.line(
      "Trained in \(TimeLeft.text(manifest.trainingSeconds)). Report: \(record.reportFile)"
    )
    output.line("Next, prove that the result can be repeated, bit for bit:")
    output.line("\n    ./tessera verify \(record.folder)\n")
  }

  /// Runs `body`; an error becomes one line on standard error and exit code 1.
  static func reportingErrors(_ body: () async throws -> Void) async throws {
    do {
      try await body()
    } catch let error as ExitCode {
      throw error
    } catch {
      FileHandle.standardError.write(Data("tessera: \(error)\n".utf8))
      throw ExitCode(1)
    }
  }
}

/// Ctrl-C and `kill`, as a call.
private final class StopSignals {
  private let sources: [any DispatchSourceSignal]

  init(_ stop: @escaping @Sendable () -> Void) {
    sources = [SIGINT, SIGTERM].map { number in
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler {
        stop()
        // A second Ctrl-C ends the program at once.
        signal(number, SIG_DFL)
      }
      source.resume()
      return source
    }
  }

  func cancel() {
    for source in sources { source.cancel() }
  }
}
