/// What a value of a configuration may be, for people: what a reference of all keys is made of.
public struct ValueForm: Sendable, Hashable, Codable {
  /// What kind of value it is, as `integer`, `list of text` or `aggregation rule`.
  public var type: String
  /// Which values of the kind are allowed, in words, as `in 1...10000`; all if `nil`.
  public var allowed: String?
  /// The names that it may be, if it is one of some.
  public var choices: [String]
  /// The keys of a mapping, or of the mappings in a list.
  public var arguments: [ArgumentDescription]

  /// A form.
  public init(
    type: String,
    allowed: String? = nil,
    choices: [String] = [],
    arguments: [ArgumentDescription] = []
  ) {
    self.type = type
    self.allowed = allowed
    self.choices = choices
    self.arguments = arguments
  }
}

/// A key of a mapping, for people.
public struct ArgumentDescription: Sendable, Hashable, Codable {
  /// The key.
  public var name: String
  /// What it means.
  public var meaning: String
  /// Whether it must be given.
  public var isRequired: Bool
  /// What it is if it is not given, as it would stand in the file; `nil` if it is then left out, or cannot be written.
  public var standard: String?
  /// What its value may be.
  public var form: ValueForm
}

/// A component that a configuration can name, for people.
public struct ComponentDescription: Sendable, Hashable, Codable {
  /// What it is, as `filter`.
  public var kind: String
  /// Its name.
  public var name: String
  /// What it does.
  public var summary: String
  /// Its arguments, in the order in which they are read.
  public var arguments: [ArgumentDescription]
}

extension [ArgumentDescription] {
  /// The keys that a reader of mappings asks for.
  public static func read(by body: (Mapping) throws -> Void) -> Self {
    Mapping.arguments(readBy: body)
  }
}
