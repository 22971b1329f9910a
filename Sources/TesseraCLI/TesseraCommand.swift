internal import ArgumentParser

@main
struct TesseraCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tessera",
    abstract: "Trains models where the data lives, packages them, proves them, runs them.",
    version: "0.1.0")
}
