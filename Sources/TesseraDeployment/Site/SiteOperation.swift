public import Logging

/// Something that is done to a site's or a server's program.
public enum SiteOperation: Sendable, Hashable {
  /// End, and begin anew.
  case restart
  /// End.
  case shutdown
  /// Log what is at least this important.
  case logLevel(Logger.Level)

  /// The operation in a word, as messages have it.
  public var name: String {
    switch self {
    case .restart: "restart"
    case .shutdown: "shutdown"
    case .logLevel: "log-level"
    }
  }

  /// The level that belongs to it, if one does.
  public var level: Logger.Level? {
    guard case .logLevel(let level) = self else { return nil }
    return level
  }

  /// The name of that level.
  package var levelName: String? { level?.rawValue }

  /// The operation of that name, with the level that belongs to it.
  ///
  /// - Returns: `nil` if there is none of that name, or no such level.
  public init?(name: String, level: String?) {
    switch (name, level.flatMap { Logger.Level(rawValue: $0) }) {
    case ("restart", _): self = .restart
    case ("shutdown", _): self = .shutdown
    case ("log-level", let level?): self = .logLevel(level)
    default: return nil
    }
  }
}
