internal import ArgumentParser
internal import Foundation
internal import SystemPackage
internal import TesseraRun

struct Runs: AsyncParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Lists the runs in a folder.")

  @Argument(help: "The folder that holds the runs' folders.", completion: .directory)
  var folder = "runs"

  func run() async throws {
    let (runs, damaged) = RunRecord.list(in: FilePath(folder))
    let output = ProgressOutput()
    if runs.isEmpty, damaged.isEmpty {
      output.line("There are no runs in \(folder). To make one: ./tessera quickstart")
      return
    }
    let names = runs.map { "\($0.record.folder)" }
    let width = names.map(\.count).max() ?? 0
    for (name, run) in zip(names, runs) {
      let isKilled = run.manifest.status == .running && !run.record.isInUse
      let status = isKilled ? "killed" : run.manifest.status.rawValue
      let accuracy = run.manifest.trainings.compactMap { $0.rounds.last?.accuracy }.max()
        .map { String(format: "%5.1f %%", $0 * 100) }
      output.line(
        """
        \(name.padding(toLength: width, withPad: " ", startingAt: 0))  \
        \(status.padding(toLength: 11, withPad: " ", startingAt: 0))  \
        \(counted(run.manifest.roundCount, "round"))  \(accuracy ?? "    –")  \
        seed \(run.manifest.seed)
        """
      )
    }
    for error in damaged {
      FileHandle.standardError.write(Data("tessera: \(error)\n".utf8))
    }
    if !damaged.isEmpty { throw ExitCode(1) }
  }
}
