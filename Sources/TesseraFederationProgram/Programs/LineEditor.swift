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
  private let interrupts: Interrupts
  // The library asks by C functions, which have no context: what they need of the one editor there is. The thread that reads is the
  // only one that uses them.
  private nonisolated(unsafe) static var complete: (_ line: String, _ word: String) -> [String]? = {
    _,
    _ in []
  }
  private nonisolated(unsafe) static var matches: [String] = []
  private nonisolated(unsafe) static var wasInterrupted = false
  private nonisolated(unsafe) static var interrupts: Interrupts?

  /// An editor.
  ///
  /// - Parameters:
  ///   - history: Where lines are kept.
  ///   - interrupts: What Ctrl-C is told by.
  ///   - complete: What the last word of a line can be, with what stands before it in the line; names of files if `nil`.
  init(
    history: FilePath,
    interrupts: Interrupts,
    complete: @escaping (_ line: String, _ word: String) -> [String]?
  ) {
    self.history = history
    self.interrupts = interrupts
    Self.complete = complete
    Self.interrupts = interrupts
    guard isTerminal else { return }
    // What is a letter, and how wide it is.
    setlocale(LC_CTYPE, "")
    tessera_leave_signals_alone()
    tessera_read_by { _ in LineEditor.character() }
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
    Self.wasInterrupted = false
    interrupts.drain()
    guard let text = readline(prompt) else {
      print("")
      return Self.wasInterrupted ? .interrupted : .end
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

  /// The next character that is written; -1 at the end of the input, and when Ctrl-C is pressed.
  private static func character() -> Int32 {
    guard let interrupts else { return -1 }
    var waiting = [
      pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0),
      pollfd(fd: interrupts.descriptor, events: Int16(POLLIN), revents: 0),
    ]
    while true {
      guard poll(&waiting, 2, -1) > 0 else {
        if errno == EINTR { continue }
        return -1
      }
      if waiting[1].revents != 0 {
        interrupts.drain()
        wasInterrupted = true
        return -1
      }
      guard let first = byte() else { return -1 }
      // As many as UTF-8 says; what is none is a character of its own.
      let more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : first >= 0xC0 ? 1 : 0
      var bytes = [first]
      for _ in 0..<more {
        guard let next = byte() else { return -1 }
        bytes.append(next)
      }
      return Int32(
        bitPattern: String(decoding: bytes, as: UTF8.self).unicodeScalars.first?.value ?? 0
      )
    }
  }

  private static func byte() -> UInt8? {
    var byte: UInt8 = 0
    while true {
      switch read(STDIN_FILENO, &byte, 1) {
      case 1: return byte
      case -1 where errno == EINTR: continue
      default: return nil
      }
    }
  }
}
