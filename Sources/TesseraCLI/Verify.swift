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
    help: ArgumentHelp(
      "How many threads compute; the result does not depend on it.",
      valueName: "1...256"
    )
  )
  var lanes: Limited<LaneLimit>?

  func run() async throws {
    try await Session.reportingErrors {
      let record = try RunRecord.open(at: FilePath(run))
      let output = ProgressOutput()
      let difference = try await ImageExperiment.verify(
        record,
        lanes: lanes.map { Int($0.value) }
      ) { round, rounds in
        output.line("round \(round)/\(rounds) is identical")
      }
      if let difference {
        output.line("not identical: \(difference)")
        throw ExitCode(2)
      }
      output.line("identical")
    }
  }
}
