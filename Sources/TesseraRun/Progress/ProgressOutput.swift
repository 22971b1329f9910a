internal import Foundation
internal import Synchronization

/// Shows progress: on a terminal one line that is redrawn, on a pipe or in a file plain lines.
///
/// Lines that stay are written with ``ProgressOutput/line(_:)``; what passes with ``ProgressOutput/status(_:)``.
public final class ProgressOutput: Sendable {
  /// Where text goes.
  public enum Destination: Sendable, Equatable {
    /// A terminal of this width.
    case terminal(columns: Int)
    /// A pipe or a file.
    case plain

    /// What standard output is.
    public static var standardOutput: Destination {
      guard isatty(STDOUT_FILENO) == 1 else { return .plain }
      var size = winsize()
      guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else {
        return .terminal(columns: 80)
      }
      return .terminal(columns: Int(size.ws_col))
    }
  }

  private let destination: Destination
  private let write: @Sendable (String) -> Void
  private let hasStatus = Mutex(false)

  /// Output to a destination.
  ///
  /// - Parameters:
  ///   - destination: What kind of output it is.
  ///   - write: Takes the text.
  public init(
    _ destination: Destination,
    write: @escaping @Sendable (String) -> Void
  ) {
    self.destination = destination
    self.write = write
  }

  /// Standard output.
  public convenience init() {
    self.init(.standardOutput) { text in
      // A reader that has gone away is no reason to stop.
      try? FileHandle.standardOutput.write(contentsOf: Data(text.utf8))
    }
  }

  /// Writes a line that stays, in place of a status.
  public func line(_ text: String) {
    hasStatus.withLock { shown in
      write((shown ? "\r\u{1B}[K" : "") + text + "\n")
      shown = false
    }
  }

  /// Shows what is going on now; nothing on a pipe.
  public func status(_ text: String) {
    guard case .terminal(let columns) = destination else { return }
    hasStatus.withLock { shown in
      // Three columns stay free: some terminals wrap when the last one is written, and Ctrl-C is shown as two letters.
      write("\r" + String(text.prefix(max(columns - 3, 1))) + "\u{1B}[K")
      shown = true
    }
  }

  /// Removes the status.
  public func clear() {
    hasStatus.withLock { shown in
      if shown { write("\r\u{1B}[K") }
      shown = false
    }
  }
}
