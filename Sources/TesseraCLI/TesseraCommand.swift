internal import ArgumentParser
internal import TesseraRun

@main
struct TesseraCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tessera",
    abstract: "Trains models where the data lives, packages them, proves them, runs them.",
    version: Versions.tessera,
    subcommands: [Quickstart.self, Resume.self, Verify.self, Runs.self])
}
