internal import ArgumentParser
internal import Foundation
internal import SystemPackage
internal import TesseraFederation
internal import TesseraRun

struct Verify: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract:
      "Repeats a run and says 'identical', or names the first round and tensor that differ.",
    discussion: "Exit code 0 if identical, 2 if not."
  )

  @Argument(help: "The run's folder.", completion: .directory)
  var run: String

  @Option(
    parsing: .unconditional,
    help: .limited(
      "How many threads compute; the result does not depend on it. All cores if not given.",
      LaneLimit.self
    )
  )
  var lanes: Limited<LaneLimit>?

  func run() async throws {
    try await Session.reportingErrors {
      let record = try RunRecord.open(at: FilePath(run))
      let manifest = try record.manifest()
      let session = Session()
      let configuration = try ImageExperiment.Configuration(of: manifest, lanes: lanes?.value)
      let experiment = try session.reading("\(configuration.dataFolder)") {
        try ImageExperiment(configuration, progress: $0)
      }
      let work = RunProgress.Work(repeating: manifest, by: experiment)
      do {
        let difference = try await session.watch(work) { observe in
          try await experiment.verify(record, observe: observe)
        }
        guard let difference else { return session.output.line("identical") }
        session.output.line("not identical: \(difference)\(Session.versionNote(manifest))")
        throw ExitCode(2)
      } catch is CancellationError {
        session.output.line("Stopped before the end: nothing is proved or disproved.")
        throw ExitCode(130)
      }
    }
  }
}
