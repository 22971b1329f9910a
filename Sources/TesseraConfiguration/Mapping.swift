/// A mapping of a configuration, whose keys are read one by one.
///
/// It is handed to those who read it, by ``ConfigurationFile/decode(_:)`` and ``Schema/mapping(_:)``, which afterwards refuse
/// the keys that were not read.
public final class Mapping {
  private let entry: Entry
  private let members: [Node.Member]
  private let places: [String: Int]
  private var known: [String] = []

  init(_ entry: Entry, _ members: [Node.Member]) {
    self.entry = entry
    self.members = members
    places = Dictionary(members.indices.map { (members[$0].key, $0) }) { first, _ in first }
  }

  /// The value of a key that must be there.
  ///
  /// - Throws: ``ConfigurationError`` if it is not, or is not as `schema` says.
  public func required<Value>(_ key: String, _ schema: Schema<Value>) throws -> Value {
    guard let entry = member(key) else { throw missing(key) }
    return try schema.read(entry)
  }

  /// The value of a key, or `nil` if it is not there.
  ///
  /// - Throws: ``ConfigurationError`` if it is there and not as `schema` says.
  public func optional<Value>(_ key: String, _ schema: Schema<Value>) throws -> Value? {
    try member(key).map { try schema.read($0) }
  }

  /// The value of a key, or `value` if it is not there.
  ///
  /// - Throws: ``ConfigurationError`` if it is there and not as `schema` says.
  public func optional<Value>(
    _ key: String,
    _ schema: Schema<Value>,
    default value: @autoclosure () throws -> Value
  ) throws -> Value {
    try optional(key, schema) ?? value()
  }

  /// An error to throw for a value that does not fit the others.
  ///
  /// - Parameters:
  ///   - key: Whose value it is; the mapping's own place is named if the key is not there.
  ///   - message: What is wrong, as `must not be more than the number of sites, 4`.
  /// - Returns: The error, with file, line and keys.
  public func error(at key: String, _ message: String) -> ConfigurationError {
    (value(key) ?? entry).problem(.invalid, message)
  }

  /// The members, all of which are thereby read, in the order of the file.
  func allMembers() -> [(name: String, entry: Entry)] {
    members.map { member in
      known.append(member.key)
      return (member.key, entry.member(member.key, member.value))
    }
  }

  /// The keys that no one has asked for.
  var unknownKeys: [ConfigurationError.Problem] {
    unread.flatMap { member in
      let message = "unknown key \(member.key.shown)\(suggestion(for: member.key, among: known))"
      return entry.problem(.unknownKey, message, at: member.position).problems
    }
  }

  private var unread: [Node.Member] {
    let read = Set(known)
    return members.filter { !read.contains($0.key) }
  }

  private func member(_ key: String) -> Entry? {
    known.append(key)
    return value(key)
  }

  private func value(_ key: String) -> Entry? {
    places[key].map { entry.member(key, members[$0].value) }
  }

  /// The problem that a key is missing, shown where it may have been misspelled.
  private func missing(_ key: String) -> ConfigurationError {
    let unread = unread
    guard let near = nearestName(to: key, among: unread.map(\.key)),
      let member = unread.first(where: { $0.key == near })
    else { return entry.problem(.missingKey, "needs the key '\(key)'") }
    return entry.problem(
      .missingKey,
      "needs the key '\(key)'; did you mean it by \(near.shown)?",
      at: member.position
    )
  }
}
