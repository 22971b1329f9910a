internal import ArgumentParser
internal import SystemPackage
internal import TesseraFederation
internal import TesseraRun

/// The arguments of commands that take up an earlier run.
struct RecordedRun: ParsableArguments {
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

  @Flag(help: "Print the result as JSON; progress goes to standard error.")
  var json = false

  /// The run's record.
  func record() throws -> RunRecord { try RunRecord.open(at: FilePath(run)) }

  /// The experiment that a record was made by, with its data read again.
  func experiment(of manifest: RunManifest, _ session: Session) throws -> any Experiment {
    switch manifest.kind {
    case "federation":
      let job = try Job(recordedIn: record(), manifest)
      return try session.reading("the data of \(job.name)") {
        try JobRun(job, lanes: lanes?.value, progress: $0)
      }
    default:
      let configuration = try ImageExperiment.Configuration(of: manifest, lanes: lanes?.value)
      return try session.reading("\(configuration.dataFolder)") {
        try ImageExperiment(configuration, progress: $0)
      }
    }
  }
}
