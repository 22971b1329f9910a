/// Names of tensors, with `*` for any run of characters: `head.weight`, `*.norm1.*`.
public struct TensorNames: Sendable, Hashable {
  /// The names and patterns.
  public let patterns: [String]

  /// Names and patterns.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration`` if there are none, or one is empty.
  public init(_ patterns: [String]) throws {
    guard !patterns.isEmpty, !patterns.contains("") else {
      throw FederationError(
        code: .invalidConfiguration,
        message: "names must be at least one name or pattern, and none of them empty"
      )
    }
    self.patterns = patterns
  }

  /// Whether a name is one of these, or fits one of the patterns.
  public func contains(_ name: String) -> Bool {
    patterns.contains { Self.fits(name, $0) }
  }

  /// Whether a name fits a pattern, in time of at most the product of their lengths.
  static func fits(_ name: String, _ pattern: String) -> Bool {
    let (name, pattern) = (Array(name.unicodeScalars), Array(pattern.unicodeScalars))
    var (place, position) = (0, 0)
    var star: (position: Int, place: Int)?
    while place < name.count {
      if position < pattern.count, pattern[position] == "*" {
        star = (position, place)
        position += 1
      } else if position < pattern.count, pattern[position] == name[place] {
        place += 1
        position += 1
      } else if let last = star {
        // The latest star takes one character more: earlier ones need not, as what is between them fits already.
        star = (last.position, last.place + 1)
        place = last.place + 1
        position = last.position + 1
      } else {
        return false
      }
    }
    return pattern[position...].allSatisfy { $0 == "*" }
  }
}
