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
  ///
  /// - Parameters:
  ///   - manifest: What the run did.
  ///   - session: Is told how far reading is.
  ///   - folder: The job's, if it was deployed: the record of its server does not say where data are.
  /// - Returns: The experiment.
  /// - Throws: What is wrong with the record, the job or its data.
  func experiment(
    of manifest: RunManifest,
    _ session: Session,
    repeating folder: FilePath? = nil
  ) throws -> any Experiment {
    switch manifest.kind {
    case "federation":
      let isDeployed = manifest.configuration["folder"] == nil
      guard isDeployed == (folder != nil) else {
        throw ValidationError(
          isDeployed
            ? "\(run) is of a job that was deployed: name a copy of its folder, with a data.yml that says where copies of the sites' data are, by --job"
            : "\(run) is of a simulation, whose folder it names itself: leave --job out"
        )
      }
      let job = try folder.map { try Job(contentsOf: $0) } ?? Job(recordedIn: record(), manifest)
      return try session.reading("the data of \(job.name)") {
        try JobRun(job, lanes: lanes?.value, progress: $0)
      }
    case "retrieval":
      throw ValidationError(
        "\(run) is a run of retrieval: 'tessera retrieval verify' repeats it, and 'tessera retrieval train CONFIG --output' goes on with it"
      )
    default:
      let configuration = try ImageExperiment.Configuration(of: manifest, lanes: lanes?.value)
      return try session.reading("\(configuration.dataFolder)") {
        try ImageExperiment(configuration, progress: $0)
      }
    }
  }
}
