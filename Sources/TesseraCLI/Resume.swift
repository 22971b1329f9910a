internal import ArgumentParser
internal import SystemPackage
internal import TesseraFederation
internal import TesseraRun

struct Resume: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Goes on with a run that was stopped or killed, to the same result."
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
      guard manifest.status != .finished else {
        // A kill may have come between the end of the run and its report.
        try session.writeReport(manifest, record)
        session.output.line("\(run) is finished. Report: \(record.reportFile)")
        return
      }
      let configuration = try ImageExperiment.Configuration(of: manifest, lanes: lanes?.value)
      let experiment = try session.reading("\(configuration.dataFolder)") {
        try ImageExperiment(configuration, progress: $0)
      }
      if let difference = try RunDifference.beforeTraining(manifest, experiment.newManifest()) {
        throw RunError(
          code: .cannotResume,
          message: """
            cannot resume \(run): \(difference) is not what the run began with\
            \(Session.versionNote(manifest))
            """
        )
      }
      session.output.line("Going on after round \(manifest.rounds.count).")
      try await session.run(experiment, in: record)
    }
  }
}
