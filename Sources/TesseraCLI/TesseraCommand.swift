internal import ArgumentParser
internal import Foundation
internal import TesseraRun

@main
struct TesseraCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tessera",
    abstract: "Trains models where the data lives, packages them, proves them, runs them.",
    version: Versions.tessera,
    subcommands: [
      Quickstart.self, FederationCommand.self, Resume.self, Verify.self, Runs.self,
    ]
  )

  /// Like ArgumentParser's own, but a bad value gives one line: the option, the value and what is allowed.
  static func main() async {
    // A reader that goes away (`tessera runs | head`) is no reason to stop.
    signal(SIGPIPE, SIG_IGN)
    do {
      var command = try parseAsRoot()
      if var command = command as? any AsyncParsableCommand {
        try await command.run()
      } else {
        try command.run()
      }
    } catch {
      guard exitCode(for: error) == .validationFailure else { exit(withError: error) }
      let message = message(for: error).split(separator: "\n").first ?? ""
      FileHandle.standardError.write(Data("tessera: \(message)\n".utf8))
      Foundation.exit(ExitCode.validationFailure.rawValue)
    }
  }
}
