internal import CEditLine
internal import Foundation
internal import SystemPackage

/// Lines that a person edits: with history, kept in a file, and completion by the tabulator.
///
/// Where input is no terminal, lines are read as they are.
final class LineEditor {
  /// What came of asking for a line.
  enum Answer {
    case line(String)
    /// Ctrl-C: what was written is dropped.
    case interrupted
    /// Ctrl-D, or the end of the input.
    case end
  }

  private let history: FilePath
  private let isTerminal = isatty(STDIN_FILENO) == 1

  /// How many lines are kept.
  private static let historyLength: Int32 = 1000
  // The library asks by C functions, which have no context: what they need of the one editor there is. The thread that reads is the
  // only one that writes here; a signal's handler sets a flag, and looks which thread that is.
  private nonisolated(unsafe) static var complete: (_ line: String, _ word: String) -> [String]? = {
    _,
    _ in []
  }
  private nonisolated(unsafe) static var matches: [String] = []
  private nonisolated(unsafe) static var wasInterrupted: sig_atomic_t = 0
  private nonisolated(unsafe) static var reader = pthread_self()

  /// An editor.
  ///
  /// - Parameters:
  ///   - history: Where lines are kept.
  ///   - complete: What the last word of a line can be, with what stands before it in the line; names of files if `nil`.
  init(history: FilePath, complete: @escaping (_ line: String, _ word: String) -> [String]?) {
    self.history = history
    Self.complete = complete
    guard isTerminal else { return }
    tessera_leave_signals_alone()
    tessera_complete_by { text, start, _ in
      let word = text.map { String(cString: $0) } ?? ""
      let line = tessera_line().map { String(cString: $0) } ?? ""
      let before = String(decoding: line.utf8.prefix(Int(start)), as: UTF8.self)
      guard let found = LineEditor.complete(before, word) else { return nil }
      tessera_completion_is_over()
      LineEditor.matches = found.filter { $0.hasPrefix(word) }
      return rl_completion_matches(text) { _, state in
        Int(state) < LineEditor.matches.count ? strdup(LineEditor.matches[Int(state)]) : nil
      }
    }
    using_history()
    stifle_history(Self.historyLength)
    read_history(history.string)
  }

  /// The next line.
  func next(_ prompt: String) -> Answer {
    guard isTerminal else { return readLine().map(Answer.line) ?? .end }
    Self.wasInterrupted = 0
    Self.reader = pthread_self()
    // Without SA_RESTART, reading ends with the signal.
    var (action, before) = (sigaction(), sigaction())
    action.__sigaction_handler.sa_handler = { number in
      LineEditor.wasInterrupted = 1
      // Whichever thread has it, the one that reads has to know.
      if pthread_equal(pthread_self(), LineEditor.reader) == 0 {
        pthread_kill(LineEditor.reader, number)
      }
    }
    sigaction(SIGINT, &action, &before)
    defer { sigaction(SIGINT, &before, nil) }
    guard let text = readline(prompt) else {
      print("")
      return Self.wasInterrupted != 0 ? .interrupted : .end
    }
    defer { free(text) }
    let line = String(cString: text)
    if !line.allSatisfy(\.isWhitespace) {
      add_history(text)
      // A kit that cannot be written has no history, and works.
      write_history(history.string)
      chmod(history.string, 0o600)
    }
    return .line(line)
  }
}
