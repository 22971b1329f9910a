internal import ArgumentParser
internal import TesseraCommandLine
internal import TesseraRun

@main
struct TesseraCommand: CommandLineProgram {
  static let configuration = CommandConfiguration(
    commandName: "tessera",
    abstract: "Trains models where the data lives, packages them, proves them, runs them.",
    version: Versions.tessera,
    subcommands: [
      Quickstart.self, FederationCommand.self, RetrievalCommand.self, Resume.self, Verify.self,
      Runs.self,
    ]
  )

  static func main() async { await runProgram() }
}
