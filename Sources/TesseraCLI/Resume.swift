internal import ArgumentParser
internal import TesseraCommandLine
internal import TesseraFederation
internal import TesseraRun

struct Resume: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Goes on with a run that was stopped or killed, to the same result."
  )

  @OptionGroup var recorded: RecordedRun

  @Flag(
    help: """
      Go on although LibTorch or the kind of processor is another: the result is then that of \
      neither, and cannot be verified.
      """
  )
  var acrossVersions = false

  func run() async throws {
    try await reportingErrors(asJSON: recorded.json) {
      let record = try recorded.record()
      let manifest = try record.manifest()
      let session = Session(json: recorded.json)
      guard manifest.status != .finished else {
        // A kill may have come between the end of the run and its report.
        try session.writeReport(manifest, record)
        session.output.line("\(record.folder) is finished. Report: \(record.reportFile)")
        if recorded.json { try session.finish(manifest, record) }
        return
      }
      let isSame = Versions.decisive.allSatisfy {
        manifest.lastVersions[$0] == Versions.current[$0]
      }
      guard isSame || acrossVersions else {
        throw RunError(
          code: .cannotResume,
          message: """
            the rest would not be bit for bit what it should be\(manifest.versionNote); \
            --across-versions goes on all the same
            """
        )
      }
      let experiment = try recorded.experiment(of: manifest, session)
      if let difference = try RunDifference.beforeTraining(manifest, experiment.newManifest()) {
        throw RunError(
          code: .cannotResume,
          message: """
            cannot resume \(record.folder): \(difference) is not what the run began with\
            \(manifest.versionNote)
            """
        )
      }
      session.output.line("Going on after \(counted(manifest.roundCount, "round")).")
      try await session.run(experiment, in: record)
    }
  }
}
