internal import ArgumentParser
internal import TesseraCommandLine

/// Stands for a program of its own, which is built when it is first used.
struct RetrievalCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "retrieval",
    abstract: "Finds pictures by texts in many languages, and texts by pictures.",
    discussion: "'./tessera retrieval --help' lists its commands."
  )

  @Argument(parsing: .allUnrecognized, help: .hidden)
  var arguments: [String] = []

  func run() throws {
    throw ValidationError(
      "'retrieval' is a program of its own: start it by ./tessera, or by the installed command"
    )
  }
}
