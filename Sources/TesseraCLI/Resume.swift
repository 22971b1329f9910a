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
    help: ArgumentHelp(
      "How many threads compute; the result does not depend on it.",
      valueName: "1...256"
    )
  )
  var lanes: Limited<LaneLimit>?

  func run() async throws {
    try await Session.reportingErrors {
      let record = try RunRecord.open(at: FilePath(run))
      let manifest = try record.manifest()
      let session = Session()
      guard manifest.status != .finished else {
        session.output.line("\(run) is finished. Report: \(record.reportFile)")
        return
      }
      let configuration = try ImageExperiment.configuration(
        of: manifest,
        lanes: lanes.map { Int($0.value) }
      )
      let experiment = try ImageExperiment(configuration)
      let fresh = try experiment.newManifest()
      guard fresh.datasets == manifest.datasets, fresh.sites == manifest.sites,
        fresh.initialModel == manifest.initialModel
      else {
        throw RunError(
          code: .cannotResume,
          message: "cannot resume \(run): the data are not those that the run began with"
        )
      }
      session.output.line("Going on after round \(manifest.rounds.count).")
      try await session.run(experiment, in: record)
    }
  }
}
