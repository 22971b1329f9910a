internal import ArgumentParser
internal import CEditLine
internal import Foundation
internal import SystemPackage
internal import TesseraCommandLine
internal import TesseraProvisioning

struct Console: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract:
      "Takes the commands of this program one after the other, with history and completion.",
    discussion:
      "Commands are given without 'tessera federation': 'jobs', 'watch JOB', 'help'. Ctrl-D ends it."
  )

  @Argument(help: "Your start-up kit.", completion: .directory)
  var kit: String

  @Option(help: ArgumentHelp("The server, if not that of the kit.", valueName: "host:port"))
  var server: String?

  func run() async throws {
    try await reportingErrors {
      let whose = try StartupKit(contentsOf: FilePath(kit))
      setenv("TESSERA_KIT", kit, 1)
      if let server {
        _ = try ConsoleOptions.address(server)
        setenv("TESSERA_SERVER", server, 1)
      }
      let reader = LineEditor(
        history: FilePath(kit).appending("local").appending("history"),
        words: CommandWords.all
      )
      print(
        "\(whose.participant.name) of \(whose.project). 'help' lists the commands; Ctrl-D ends."
      )
      while let line = reader.line("\(whose.project)> ") {
        let words = CommandWords.split(line)
        guard let first = words.first else { continue }
        if ["exit", "quit", "bye"].contains(first) { break }
        await Self.carryOut(words)
      }
    }
  }

  /// Carries out one command; whatever comes of it, the console goes on.
  private static func carryOut(_ words: [String]) async {
    do {
      var command = try FederationProgram.parseAsRoot(words)
      guard !(command is Console) else { return }
      if var command = command as? any AsyncParsableCommand {
        try await command.run()
      } else {
        try command.run()
      }
    } catch let error as ExitCode {
      _ = error
    } catch {
      print(FederationProgram.fullMessage(for: error))
    }
  }
}

/// The words of commands.
enum CommandWords {
  /// The names of all commands.
  static let all: [String] = {
    let groups = FederationProgram.configuration.groupedSubcommands.flatMap(\.subcommands)
    return (groups + FederationProgram.configuration.subcommands)
      .map { $0.configuration.commandName ?? name(of: $0) }.sorted() + ["help", "exit"]
  }()

  /// `SiteInfo` is `site-info`.
  private static func name(of command: any ParsableCommand.Type) -> String {
    "\(command)".reduce(into: "") { name, letter in
      if letter.isUppercase, !name.isEmpty { name += "-" }
      name += letter.lowercased()
    }
  }

  /// A line in words, as a shell divides it: spaces part them, quotes keep them together.
  static func split(_ line: String) -> [String] {
    var words: [String] = []
    var word: String?
    var quote: Character?
    for letter in line {
      switch (quote, letter) {
      case (nil, "\""), (nil, "'"):
        quote = letter
        word = word ?? ""
      case (let open?, _) where open == letter: quote = nil
      case (nil, " "), (nil, "\t"):
        if let done = word { words.append(done) }
        word = nil
      default: word = (word ?? "") + String(letter)
      }
    }
    if let word { words.append(word) }
    return words
  }
}
