/// What entries of a store must be to be found.
///
///     let filter = try VectorFilter(#"language = "hi" and size > 100"#)
///
/// In words: `=`, `!=`, `<`, `<=`, `>`, `>=`, `in ("a", "b")`, `in 10..20`, `prefix "birds/"`, `glob "birds/**/*.png"`, `has name`, `and`, `or`, `not`
/// and parentheses. Values are texts in quotes, numbers, `true` and `false`. The name `id` is the entry's id. Names with other characters than letters, digits,
/// `_`, `-` and `.` stand in backquotes.
///
/// A value of another kind is neither equal nor smaller nor greater; entries without the name fulfil nothing but `not` and `!=`.
public indirect enum VectorFilter: Sendable, Hashable {
  /// The value under a name is this one.
  case equals(String, MetadataValue)
  /// The value under a name is one of these.
  case isIn(String, [MetadataValue])
  /// The value under a name is on one side of another: numbers by size, texts by the order of their UTF-8 bytes.
  case compares(String, Comparison, MetadataValue)
  /// The text under a name begins with this one.
  case hasPrefix(String, String)
  /// The text under a name is as a ``PathGlob`` says.
  case matches(String, PathGlob)
  /// There is a value under a name.
  case has(String)
  /// All of these are fulfilled.
  case all([VectorFilter])
  /// One of these at least is fulfilled.
  case any([VectorFilter])
  /// This one is not fulfilled.
  case not(VectorFilter)

  /// On which side of a value.
  public enum Comparison: String, Sendable, Hashable, CaseIterable {
    /// Smaller.
    case less = "<"
    /// Not greater.
    case atMost = "<="
    /// Greater.
    case greater = ">"
    /// Not smaller.
    case atLeast = ">="

    func holds<Value: Comparable>(_ a: Value, _ b: Value) -> Bool {
      switch self {
      case .less: a < b
      case .atMost: a <= b
      case .greater: a > b
      case .atLeast: a >= b
      }
    }
  }

  /// The number under a name lies in a range.
  public static func isIn(_ name: String, _ range: ClosedRange<Double>) -> Self {
    .all([
      .compares(name, .atLeast, .number(range.lowerBound)),
      .compares(name, .atMost, .number(range.upperBound)),
    ])
  }

  /// The name that stands for an entry's id.
  static let idName = "id"

  /// Whether an entry fulfils this.
  public func isFulfilled(id: String, metadata: [String: MetadataValue]) -> Bool {
    func value(_ name: String) -> MetadataValue? {
      name == Self.idName ? .text(id) : metadata[name]
    }
    func text(_ name: String) -> String? {
      if case .text(let text) = value(name) { text } else { nil }
    }
    switch self {
    case .equals(let name, let other): return value(name).map { $0.isSame(as: other) } ?? false
    case .isIn(let name, let others):
      return value(name).map { value in others.contains { value.isSame(as: $0) } } ?? false
    case .compares(let name, let comparison, let other):
      switch (value(name), other) {
      case (.number(let a), .number(let b)): return comparison.holds(a, b)
      case (.text(let a), .text(let b)): return comparison.holds(UTF8Order(a), UTF8Order(b))
      default: return false
      }
    case .hasPrefix(let name, let prefix):
      return text(name)?.utf8.starts(with: prefix.utf8) ?? false
    case .matches(let name, let glob): return text(name).map(glob.matches) ?? false
    case .has(let name): return value(name) != nil
    case .all(let parts): return parts.allSatisfy { $0.isFulfilled(id: id, metadata: metadata) }
    case .any(let parts): return parts.contains { $0.isFulfilled(id: id, metadata: metadata) }
    case .not(let part): return !part.isFulfilled(id: id, metadata: metadata)
    }
  }
}

extension MetadataValue {
  /// Texts by their bytes: Swift's own equality takes different writings of an accent for one.
  fileprivate func isSame(as other: MetadataValue) -> Bool {
    if case .text(let a) = self, case .text(let b) = other { return a.utf8.elementsEqual(b.utf8) }
    return self == other
  }
}

/// Texts in the order of their bytes, as databases have them.
private struct UTF8Order: Comparable {
  let text: String
  init(_ text: String) { self.text = text }
  static func < (a: Self, b: Self) -> Bool { a.text.utf8.lexicographicallyPrecedes(b.text.utf8) }
  static func == (a: Self, b: Self) -> Bool { a.text.utf8.elementsEqual(b.text.utf8) }
}
