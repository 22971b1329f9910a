internal import ArgumentParser
internal import SystemPackage
internal import TesseraCommandLine
internal import TesseraFederation
internal import TesseraRun

struct Verify: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract:
      "Repeats a run and says 'identical', or names the first round and tensor that differ.",
    discussion: """
      Exit code 0 if identical, 2 if not.

      A job of a deployment is repeated as a simulation: --job names a copy of its folder, whose data.yml says where copies of the \
      sites' data are. Of files that programs read, and of programs, the one that was changed is named.
      """
  )

  @Option(
    help: ArgumentHelp(
      "The folder of a job that was deployed, with a data.yml.",
      valueName: "folder"
    ),
    completion: .directory
  )
  var job: String?

  @OptionGroup var recorded: RecordedRun

  func run() async throws {
    try await reportingErrors(asJSON: recorded.json) {
      let record = try recorded.record()
      let manifest = try record.manifest()
      let session = Session(json: recorded.json)
      let experiment = try recorded.experiment(
        of: manifest,
        session,
        repeating: job.map { FilePath($0) }
      )
      let work = experiment.work(of: manifest, isRepetition: true)
      do {
        let difference = try await session.watch(work) { observe in
          try await experiment.verify(record, observe: observe)
        }
        let verification = Verification(
          of: record.folder.string,
          difference: difference.map { "\($0)\(manifest.versionNote)" },
          notCompared: manifest.notCompared
        )
        if recorded.json {
          print(try PrintedJSON.of(verification))
        } else {
          for line in verification.lines { session.output.line(line) }
        }
        if difference != nil { throw ExitCode(2) }
      } catch is CancellationError {
        session.output.line("Stopped before the end: nothing is proved or disproved.")
        throw ExitCode(130)
      }
    }
  }
}
