public import SystemPackage

/// A configuration could not be read, or is not one.
///
/// Printed, each problem is a line that editors and terminals turn into a link:
///
///     job.yaml:3:1: unknown key 'round'; did you mean 'rounds'? Known are fraction, model, rounds
public struct ConfigurationError: Error, Sendable, Hashable, CustomStringConvertible {
  /// What is wrong, in the order of the file.
  public var problems: [Problem]

  /// Makes an error.
  public init(problems: [Problem]) {
    self.problems = problems
  }

  /// The problems, one on each line.
  public var description: String {
    // A file of nothing but mistakes has its say, too.
    let shown = problems.prefix(20).map(\.description)
    let rest = problems.count - shown.count
    return (shown + (rest > 0 ? ["… and \(rest) more"] : [])).joined(separator: "\n")
  }

  /// The same problems, file by file in the order of their lines.
  public var inOrder: ConfigurationError {
    let files = problems.map(\.file)
    let order = Dictionary(zip(files, files.indices)) { first, _ in first }
    let sorted = problems.enumerated().sorted { a, b in
      let (first, second) = (order[a.element.file] ?? 0, order[b.element.file] ?? 0)
      guard first == second else { return first < second }
      guard let left = a.element.position, let right = b.element.position, left != right else {
        return a.offset < b.offset
      }
      return left < right
    }
    return ConfigurationError(problems: sorted.map(\.element))
  }

  /// Something that is wrong in one place.
  public struct Problem: Sendable, Hashable, CustomStringConvertible {
    /// What kind of problem it is, for code that wants to react.
    public var code: Code
    /// The file.
    public var file: FilePath
    /// Where in the file, if it could be read.
    public var position: Position?
    /// The keys that lead there, as `sites[2].name`; empty for the file as a whole.
    public var keyPath: String
    /// What is wrong, for a person.
    public var message: String

    /// A problem.
    public init(
      code: Code,
      file: FilePath,
      position: Position? = nil,
      keyPath: String = "",
      message: String
    ) {
      self.code = code
      self.file = file
      self.position = position
      self.keyPath = keyPath
      self.message = message
    }

    /// `job.yaml:3:9: rounds: must be in 1...100, not 0`.
    public var description: String {
      let place = position.map { "\(file):\($0.line):\($0.column)" } ?? "\(file)"
      return "\(place): \(keyPath.isEmpty ? "" : "\(keyPath): ")\(message)"
    }
  }

  /// A place in a file.
  public struct Position: Sendable, Hashable, Comparable {
    /// The line, from 1.
    public var line: Int
    /// The column, from 1, in Unicode scalars.
    public var column: Int

    /// Whether a place is before another.
    public static func < (a: Self, b: Self) -> Bool { (a.line, a.column) < (b.line, b.column) }
  }

  /// The kind of a problem.
  ///
  /// A struct, so that a new kind breaks no one.
  public struct Code: Hashable, Sendable, CustomStringConvertible {
    private enum Kind: String {
      case unreadable, malformed, notAllowed, unknownKey, missingKey, wrongType, outOfRange
      case unknownName, invalid
    }
    private var kind: Kind

    /// The name of the kind.
    public var description: String { kind.rawValue }

    /// The file is not there, too large or not UTF-8.
    public static var unreadable: Self { Self(kind: .unreadable) }
    /// The file is not YAML.
    public static var malformed: Self { Self(kind: .malformed) }
    /// The file uses a part of YAML that configurations do without.
    public static var notAllowed: Self { Self(kind: .notAllowed) }
    /// There is a key that no one reads.
    public static var unknownKey: Self { Self(kind: .unknownKey) }
    /// There is no key that someone needs.
    public static var missingKey: Self { Self(kind: .missingKey) }
    /// A value is of another type than is needed.
    public static var wrongType: Self { Self(kind: .wrongType) }
    /// A number or a count is not in its range.
    public static var outOfRange: Self { Self(kind: .outOfRange) }
    /// A value is none of the names that it may be.
    public static var unknownName: Self { Self(kind: .unknownName) }
    /// Whoever reads the values refuses them.
    public static var invalid: Self { Self(kind: .invalid) }
  }
}
