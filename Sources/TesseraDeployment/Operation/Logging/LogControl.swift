public import Logging
internal import Synchronization

/// From which level on a program logs, as a whole and in its parts; can be changed while it runs.
///
/// Parts are the loggers' labels and what they begin with: `tessera.site` stands for `tessera.site.trainer` too, unless that has a
/// level of its own.
public final class LogControl: Sendable {
  private struct State {
    var base: Logger.Level
    var parts: [String: Logger.Level] = [:]
  }
  private let state: Mutex<State>

  /// A control.
  ///
  /// - Parameter level: The level of all that has none of its own.
  public init(level: Logger.Level = .info) {
    state = Mutex(State(base: level))
  }

  /// The level of all that has none of its own.
  public var level: Logger.Level { state.withLock { $0.base } }

  /// The levels of parts.
  public var levels: [String: Logger.Level] { state.withLock { $0.parts } }

  /// Sets a level.
  ///
  /// - Parameters:
  ///   - level: The level; of a part, `nil` takes its own away.
  ///   - part: A label, or what labels begin with up to a dot; the program as a whole if `nil`.
  public func set(_ level: Logger.Level?, for part: String? = nil) {
    state.withLock { state in
      if let part {
        state.parts[part] = level
      } else if let level {
        state.base = level
      }
    }
  }

  /// The level of a label: that of the longest part that it belongs to.
  public func level(of label: String) -> Logger.Level {
    state.withLock { state in
      if state.parts.isEmpty { return state.base }
      var part = label[...]
      while true {
        if let level = state.parts[String(part)] { return level }
        guard let dot = part.lastIndex(of: ".") else { return state.base }
        part = part[..<dot]
      }
    }
  }
}
