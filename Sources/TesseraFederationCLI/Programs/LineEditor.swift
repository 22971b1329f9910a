internal import CEditLine
internal import Foundation
internal import SystemPackage

/// Lines that a person edits: with history, kept in a file, and completion by the tabulator.
///
/// Where input is no terminal, lines are read as they are.
final class LineEditor {
  private let history: FilePath
  private let isTerminal = isatty(STDIN_FILENO) == 1

  /// How many lines are kept.
  private static let historyLength: Int32 = 1000
  // The library asks by a C function, which has no context: the words of the one editor there is. It is called from one
  // thread alone.
  private nonisolated(unsafe) static var words: [String] = []

  /// An editor.
  ///
  /// - Parameters:
  ///   - history: Where lines are kept.
  ///   - words: What a line can begin with.
  init(history: FilePath, words: [String]) {
    self.history = history
    Self.words = words
    guard isTerminal else { return }
    tessera_complete_by { text, start, _ in
      // After the first word, the library completes names of files.
      guard start == 0 else { return nil }
      return rl_completion_matches(text) { text, state in
        let prefix = text.map { String(cString: $0) } ?? ""
        let matches = LineEditor.words.filter { $0.hasPrefix(prefix) }
        return Int(state) < matches.count ? strdup(matches[Int(state)]) : nil
      }
    }
    using_history()
    stifle_history(Self.historyLength)
    read_history(history.string)
  }

  /// The next line; `nil` at the end.
  func line(_ prompt: String) -> String? {
    guard isTerminal else { return readLine() }
    guard let text = readline(prompt) else {
      print("")
      return nil
    }
    defer { free(text) }
    let line = String(cString: text)
    if !line.allSatisfy(\.isWhitespace) {
      add_history(text)
      // A kit that cannot be written has no history, and works.
      write_history(history.string)
    }
    return line
  }
}
