/// A pattern for paths: `*` is anything without `/`, `**` anything, `?` one character but `/`; `\` takes the next one as it is.
public struct PathGlob: Sendable, Hashable {
  /// The pattern.
  public let pattern: String
  private let parts: [Part]

  private enum Part: Hashable {
    case character(Unicode.Scalar)
    case one
    case some
    case any
  }

  /// Makes a pattern.
  public init(_ pattern: String) {
    self.pattern = pattern
    var parts: [Part] = []
    var isEscaped = false
    for scalar in pattern.unicodeScalars {
      switch scalar {
      case _ where isEscaped:
        parts.append(.character(scalar))
        isEscaped = false
      case "\\": isEscaped = true
      case "?": parts.append(.one)
      case "*" where parts.last == .some || parts.last == .any: parts[parts.count - 1] = .any
      case "*": parts.append(.some)
      default: parts.append(.character(scalar))
      }
    }
    if isEscaped { parts.append(.character("\\")) }
    self.parts = parts
  }

  /// What every path that it matches begins with.
  var prefix: String {
    var prefix = String.UnicodeScalarView()
    for case .character(let scalar) in parts.prefix(while: {
      if case .character = $0 { true } else { false }
    }) {
      prefix.append(scalar)
    }
    return String(prefix)
  }

  /// Whether a path is as the pattern says, as a whole.
  ///
  /// - Complexity: The path's length times the pattern's, whatever they are.
  public func matches(_ path: String) -> Bool {
    // Which beginnings of the pattern can have led to the characters so far.
    var states = [Bool](repeating: false, count: parts.count + 1)
    states[0] = true
    func close() {
      for (index, part) in parts.enumerated() where states[index] && (part == .some || part == .any)
      {
        states[index + 1] = true
      }
    }
    close()
    for scalar in path.unicodeScalars {
      var next = [Bool](repeating: false, count: states.count)
      for (index, part) in parts.enumerated() where states[index] {
        switch part {
        case .character(let own): if own == scalar { next[index + 1] = true }
        case .one: if scalar != "/" { next[index + 1] = true }
        case .some: if scalar != "/" { next[index] = true }
        case .any: next[index] = true
        }
      }
      states = next
      close()
    }
    return states[parts.count]
  }
}
