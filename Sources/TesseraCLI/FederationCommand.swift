internal import ArgumentParser

struct FederationCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "federation",
    abstract: "Trains models together with other sites.",
    subcommands: [Simulate.self, Components.self, Explain.self]
  )
}
