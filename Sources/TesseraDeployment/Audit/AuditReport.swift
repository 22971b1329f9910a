public import Foundation

/// What ``AuditLog/verify(at:keys:since:)`` has found.
public struct AuditReport: Sendable, Hashable, Codable {
  /// Something that is not as it was written.
  public struct Problem: Sendable, Hashable, Codable, CustomStringConvertible {
    /// The line of the file, from 1; `nil` if it is about the file as a whole.
    public var line: Int?
    /// What is wrong.
    public var message: String

    /// `line 17: was altered: …`.
    public var description: String { line.map { "line \($0): \(message)" } ?? message }
  }

  /// Whose log it is, as the signatures tell.
  public internal(set) var participant: String?
  /// The digest of the first line, hexadecimal: two logs that were begun apart have different ones, also those of two machines
  /// with the same kit.
  public internal(set) var origin: String?
  /// How many lines it has.
  public internal(set) var lines = 0
  /// When the first event was written.
  public internal(set) var first: Date?
  /// When the last event was written.
  public internal(set) var last: Date?
  /// Which line is the last, to be kept elsewhere and compared with later.
  public internal(set) var head: AuditHead?
  /// All that is wrong, in the order of the file; of thousands, the first hundred.
  public internal(set) var problems: [Problem] = []
  /// What is worth knowing and not wrong.
  public internal(set) var notes: [String] = []

  /// Whether the log is as it was written.
  public var isWhole: Bool { problems.isEmpty }

  mutating func add(_ message: String, line: Int? = nil) {
    if problems.count < 100 { problems.append(Problem(line: line, message: message)) }
  }
}
