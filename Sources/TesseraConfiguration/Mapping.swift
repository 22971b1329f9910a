internal import SystemPackage

/// A mapping of a configuration, whose keys are read one by one.
///
/// It is handed to those who read it, by ``ConfigurationFile/decode(_:)`` and ``Schema/mapping(_:)``, which afterwards refuse
/// the keys that were not read.
///
/// A value that is not what it must be is noted, and reading goes on with a default or some other allowed value, so that one
/// look at a file finds all that is wrong with it. What was read is then thrown away.
public final class Mapping {
  /// Keeps the keys that a reader asks for, instead of giving it a file's values.
  final class Descriptions {
    var arguments: [ArgumentDescription] = []
  }

  /// Thrown where nothing is known that reading could go on with; the problem is noted.
  struct Halt: Error {}

  private let entry: Entry
  private let members: [Node.Member]
  private let places: [String: Int]
  private let descriptions: Descriptions?
  private var known: [String] = []
  /// What was wrong with the values so far.
  private(set) var problems: [ConfigurationError.Problem] = []

  init(_ entry: Entry, _ members: [Node.Member]) {
    self.entry = entry
    self.members = members
    descriptions = nil
    places = Dictionary(members.indices.map { (members[$0].key, $0) }) { first, _ in first }
  }

  /// A mapping for those who want to know which keys are read.
  init(describing descriptions: Descriptions) {
    entry = Entry(
      node: Node(content: .mapping([]), position: .init(line: 1, column: 1)),
      file: ""
    )
    members = []
    places = [:]
    self.descriptions = descriptions
  }

  /// The keys that a reader asks for.
  static func arguments<Value>(readBy body: (Mapping) throws -> Value) -> [ArgumentDescription] {
    let descriptions = Descriptions()
    // What is not allowed together does not matter: all keys were asked for before.
    _ = try? body(Mapping(describing: descriptions))
    return descriptions.arguments
  }

  /// The value of a key that must be there.
  ///
  /// - Parameters:
  ///   - key: The key.
  ///   - schema: What the value must be.
  ///   - help: What the key means, for references.
  /// - Returns: The value; if it is wrong or missing, which is noted, another that `schema` allows.
  /// - Throws: An error for the reader's caller if there is no such value.
  public func required<Value>(
    _ key: String,
    _ schema: Schema<Value>,
    help: String = ""
  ) throws -> Value {
    describe(key, schema, help, isRequired: true)
    guard descriptions == nil else { return try sample(schema) }
    guard let entry = member(key) else {
      problems += missing(key).problems
      return try sample(schema)
    }
    if let value = try read(schema, entry) { return value }
    return try sample(schema)
  }

  /// The value of a key, or `nil` if it is not there.
  ///
  /// - Parameters:
  ///   - key: The key.
  ///   - schema: What the value must be.
  ///   - help: What the key means, for references.
  /// - Returns: The value; `nil` if it is wrong, which is noted.
  /// - Throws: What has nothing to do with the file.
  public func optional<Value>(
    _ key: String,
    _ schema: Schema<Value>,
    help: String = ""
  ) throws -> Value? {
    describe(key, schema, help, isRequired: false)
    return try member(key).flatMap { try read(schema, $0) }
  }

  /// The value of a key, or `value` if it is not there.
  ///
  /// - Parameters:
  ///   - key: The key.
  ///   - schema: What the value must be.
  ///   - value: What it is if it is not there.
  ///   - help: What the key means, for references.
  /// - Returns: The value; `value` if it is wrong, which is noted.
  /// - Throws: What `value` throws.
  public func optional<Value>(
    _ key: String,
    _ schema: Schema<Value>,
    default value: @autoclosure () throws -> Value,
    help: String = ""
  ) throws -> Value {
    let standard = descriptions == nil ? nil : try schema.text(value())
    describe(key, schema, help, isRequired: false, standard: standard)
    return try member(key).flatMap { try read(schema, $0) } ?? value()
  }

  /// The component that a key names, or the one called `name`, without arguments, if it is not there.
  ///
  /// - Parameters:
  ///   - key: The key.
  ///   - registry: The components that it can name.
  ///   - name: The name that it has if it is not there.
  ///   - help: What the key means, for references.
  /// - Returns: The component; the one called `name` if the file's is wrong, which is noted.
  /// - Throws: ``ConfigurationError`` if there is no such component.
  public func component<Product>(
    _ key: String,
    from registry: Registry<Product>,
    default name: String,
    help: String = ""
  ) throws -> Product {
    let schema = Schema.component(from: registry)
    describe(key, schema, help, isRequired: false, standard: name)
    if let entry = member(key), let product = try read(schema, entry) { return product }
    let node = Node(content: .scalar(name, isQuoted: true), position: entry.node.position)
    return try registry.make(entry.member(key, node))
  }

  /// What a mapping of keys that may all be left out says; it may itself be left out.
  ///
  /// - Parameters:
  ///   - key: The key.
  ///   - help: What the key means, for references.
  ///   - body: Reads the keys; of nothing, if the mapping is not there or is wrong, which is noted.
  /// - Returns: What `body` makes of the mapping.
  /// - Throws: ``ConfigurationError`` if `body` needs a key after all.
  public func section<Value>(
    _ key: String,
    help: String = "",
    _ body: @escaping (Mapping) throws -> Value
  ) throws -> Value {
    let schema = Schema<Value>.mapping(body)
    describe(key, schema, help, isRequired: false)
    if let entry = member(key), let value = try read(schema, entry) { return value }
    let node = Node(content: .mapping([]), position: entry.node.position)
    return try schema.read(entry.member(key, node))
  }

  /// Whether a key is there, whatever its value.
  public func contains(_ key: String) -> Bool { places[key] != nil }

  /// An error to throw for a value that does not fit the others.
  ///
  /// It counts if nothing else is wrong with the mapping.
  ///
  /// - Parameters:
  ///   - key: Whose value it is; the mapping's own place is named if the key is not there.
  ///   - message: What is wrong, as `must not be more than the number of sites, 4`.
  /// - Returns: The error, with file, line and keys.
  public func error(at key: String, _ message: String) -> ConfigurationError {
    (value(key) ?? entry).problem(.invalid, message)
  }

  /// Notes that a value does not fit the others, and lets reading go on, so that more of the file is looked at.
  ///
  /// - Parameters:
  ///   - key: Whose value it is; the mapping's own place is named if the key is not there.
  ///   - message: What is wrong.
  public func report(at key: String, _ message: String) {
    problems += error(at: key, message).problems
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
    return members.filter { !read.contains($0.key) && !misspelled.contains($0.key) }
  }

  /// Keys that have been reported in the place of those that were missing.
  private var misspelled: Set<String> = []

  private func read<Value>(_ schema: Schema<Value>, _ entry: Entry) throws -> Value? {
    do {
      return try schema.read(entry)
    } catch let error as ConfigurationError {
      problems += error.problems
      return nil
    }
  }

  private func sample<Value>(_ schema: Schema<Value>) throws -> Value {
    guard let value = schema.sample() else { throw Halt() }
    return value
  }

  private func describe<Value>(
    _ key: String,
    _ schema: Schema<Value>,
    _ help: String,
    isRequired: Bool,
    standard: String? = nil
  ) {
    descriptions?.arguments.append(
      ArgumentDescription(
        name: key,
        meaning: help,
        isRequired: isRequired,
        standard: standard,
        form: schema.form()
      )
    )
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
    misspelled.insert(near)
    return entry.problem(
      .missingKey,
      "needs the key '\(key)'; did you mean it by \(near.shown)?",
      at: member.position
    )
  }
}
