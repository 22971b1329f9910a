internal import ArgumentParser

struct FederationCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "federation",
    abstract: "Trains models together with other sites.",
    discussion: """
      Simulations run in this program. What needs a network is in another one, which is built when it is first used:

      \(FederationCommandList.text)

      'tessera federation help COMMAND' tells more of each.
      """,
    groupedSubcommands: [
      CommandGroup(
        name: "Simulations",
        subcommands: [Simulate.self, Components.self, Explain.self]
      )
    ]
  )
}
