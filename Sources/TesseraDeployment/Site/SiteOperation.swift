internal import Logging

/// Something that is done to a site's or a server's program.
public enum SiteOperation: Sendable, Hashable {
  /// End, and begin anew.
  case restart
  /// End.
  case shutdown
  /// Log what is at least this important: `trace`, `debug`, `info`, `notice`, `warning`, `error`.
  case logLevel(String)

  /// The operation in a word, as messages have it.
  public var name: String {
    switch self {
    case .restart: "restart"
    case .shutdown: "shutdown"
    case .logLevel: "log-level"
    }
  }

  /// The level that belongs to it, if one does.
  public var level: String? {
    guard case .logLevel(let level) = self else { return nil }
    return level
  }

  /// The operation of that name, with the level that belongs to it.
  ///
  /// - Returns: `nil` if there is none of that name, or no such level.
  public init?(name: String, level: String?) {
    switch (name, level) {
    case ("restart", _): self = .restart
    case ("shutdown", _): self = .shutdown
    case ("log-level", let level?) where Logger.Level(rawValue: level) != nil:
      self = .logLevel(level)
    default: return nil
    }
  }
}
