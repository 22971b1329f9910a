internal import ArgumentParser
internal import TesseraFederation
internal import TesseraRun

struct Verify: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract:
      "Repeats a run and says 'identical', or names the first round and tensor that differ.",
    discussion: "Exit code 0 if identical, 2 if not."
  )

  @OptionGroup var recorded: RecordedRun

  func run() async throws {
    try await Session.reportingErrors {
      let record = try recorded.record()
      let manifest = try record.manifest()
      let session = Session()
      let experiment = try recorded.experiment(of: manifest, session)
      let work = experiment.work(of: manifest, isRepetition: true)
      do {
        let difference = try await session.watch(work) { observe in
          try await experiment.verify(record, observe: observe)
        }
        guard let difference else {
          session.output.line("identical")
          let missing = manifest.notCompared
          if !missing.isEmpty {
            session.output.line(
              """
              Not compared, as the version that made this run did not note it: \
              \(missing.joined(separator: "; ")).
              """
            )
          }
          return
        }
        session.output.line("not identical: \(difference)\(Session.versionNote(manifest))")
        throw ExitCode(2)
      } catch is CancellationError {
        session.output.line("Stopped before the end: nothing is proved or disproved.")
        throw ExitCode(130)
      }
    }
  }
}
