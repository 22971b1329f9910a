internal import ArgumentParser
internal import TesseraCommandLine
internal import TesseraRun

@main
struct RetrievalCommand: CommandLineProgram {
  static let configuration = CommandConfiguration(
    commandName: "tessera retrieval",
    abstract: "Finds pictures by texts in many languages, and texts by pictures.",
    version: Versions.tessera,
    subcommands: [
      Quickstart.self, Train.self, Verify.self, Evaluate.self, Import.self, Index.self, Search.self,
      Map.self, Mine.self,
    ]
  )

  static func main() async { await runProgram() }
}
