internal import ArgumentParser
internal import Foundation

/// The words of commands, and what can be said after them.
struct CommandWords: Sendable {
  /// The names of jobs.
  var jobs: [String] = []
  /// The names of sites.
  var sites: [String] = []
  /// The names of servers.
  var servers: [String] = []

  /// What the next word of a line can be.
  ///
  /// - Parameters:
  ///   - line: What stands before it.
  ///   - word: What there is of it.
  /// - Returns: All that it can be, whatever it begins with; `nil` if it can be the name of a file.
  func candidates(after line: String, for word: String) -> [String]? {
    var words = Self.split(line)
    guard let first = words.first else { return Self.names }
    words.removeFirst()
    guard let command = Self.commands[first] else {
      return first == "help" ? Self.names : []
    }
    let subcommands = command.configuration.subcommands
    if !subcommands.isEmpty, words.isEmpty { return subcommands.map(Self.name(of:)) + ["--help"] }
    let one =
      words.first.flatMap { name in subcommands.first { Self.name(of: $0) == name } } ?? command
    if word.hasPrefix("-") { return Self.options(of: one) }
    if let values = Self.values(after: words.last, of: one) { return values }
    let given = words.filter { !$0.hasPrefix("-") }
    switch first {
    case "show", "log", "watch", "abort", "clone", "download", "delete":
      return given.isEmpty ? jobs : nil
    case "site-info", "disable", "enable", "remove": return given.isEmpty ? sites : []
    case "restart", "shutdown": return given.isEmpty ? sites + servers : []
    case "log-level":
      return given.isEmpty
        ? ProgramOptions.Level.allCases.map(\.rawValue) : given.count == 1 ? sites + servers : []
    case "jobs", "sites": return []
    default: return nil
    }
  }

  /// What an option takes, if that is one of a few words.
  private static func values(
    after option: String?,
    of command: any ParsableCommand.Type
  ) -> [String]? {
    guard command == ListJobs.self, option == "--state" else { return nil }
    return ListJobs.states
  }

  /// The names of all commands.
  static let names: [String] = commands.keys.sorted() + ["help", "exit"]

  private static let commands: [String: any ParsableCommand.Type] = {
    let groups = FederationCommands.configuration.groupedSubcommands.flatMap(\.subcommands)
    let all = groups + FederationCommands.configuration.subcommands
    return Dictionary(all.map { (name(of: $0), $0) }) { first, _ in first }
  }()

  /// The long options of a command, as its help has them.
  private static func options(of command: any ParsableCommand.Type) -> [String] {
    let help = FederationCommands.helpMessage(for: command, columns: 200)
    let lines = help.split(separator: "\n").map { $0.trimmingPrefix { $0 == " " } }
    let found = lines.filter { $0.hasPrefix("-") }.flatMap { line in
      line.prefix(60).split { !$0.isLetter && !$0.isNumber && $0 != "-" }
        .filter { $0.hasPrefix("--") }.prefix(1)
    }
    return Set(found.map(String.init)).sorted()
  }

  /// `SiteInfo` is `site-info`.
  private static func name(of command: any ParsableCommand.Type) -> String {
    if let name = command.configuration.commandName { return name }
    return "\(command)".reduce(into: "") { name, letter in
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
