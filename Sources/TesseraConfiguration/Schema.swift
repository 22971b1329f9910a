/// What a value of a configuration must be, and what is made of it.
///
///     .integer(in: 1...100)  .list(of: .text)  .list(of: .mapping(Site.init), count: 1...)  .component(from: filters)
public struct Schema<Value> {
  let read: (Entry) throws -> Value

  /// A value that is read and then changed, or refused, by `transform`.
  ///
  /// What `transform` throws is reported with file and line.
  public func map<NewValue>(_ transform: @escaping (Value) throws -> NewValue) -> Schema<NewValue> {
    Schema<NewValue> { entry in
      let value = try read(entry)
      return try entry.locating { try transform(value) }
    }
  }

  /// A mapping, of which `body` must read all keys.
  public static func mapping(_ body: @escaping (Mapping) throws -> Value) -> Schema {
    Schema { try $0.mapping(body) }
  }

  /// A component that a registry knows: its name, or a mapping of its `type` and its arguments.
  public static func component(from registry: Registry<Value>) -> Schema {
    Schema { try registry.make($0) }
  }

  /// One of some names, each of which stands for something.
  public static func choice(of values: KeyValuePairs<String, Value>) -> Schema {
    Schema { entry in
      let name = try Schema<String>.text.read(entry)
      guard let value = values.first(where: { $0.key == name })?.value else {
        let hint = suggestion(for: name, among: values.map(\.key))
        throw entry.problem(.unknownName, "cannot be \(name.shown)\(hint)")
      }
      return value
    }
  }
}

extension Schema where Value: CaseIterable & RawRepresentable<String> {
  /// The name of one of an enumeration's cases.
  public static var choice: Schema {
    Schema { entry in
      let name = try Schema<String>.text.read(entry)
      guard let value = Value(rawValue: name) else {
        let hint = suggestion(for: name, among: Value.allCases.map(\.rawValue))
        throw entry.problem(.unknownName, "cannot be \(name.shown)\(hint)")
      }
      return value
    }
  }
}

extension Schema where Value == Int {
  /// Any integer.
  public static var integer: Schema { integer(in: Int.min...Int.max) }

  /// An integer; `1.0` and `1e3` are integers too, `1.5` is not.
  public static func integer(in range: some RangeExpression<Int>) -> Schema {
    Schema { try $0.checked($0.integer(), in: range) }
  }
}

extension Schema where Value == UInt64 {
  /// Any integer from 0 to 2^64 - 1, as seeds are.
  public static var unsigned: Schema { unsigned(in: UInt64.min...UInt64.max) }

  /// An integer, as ``Schema/integer(in:)`` reads it.
  public static func unsigned(in range: some RangeExpression<UInt64>) -> Schema {
    Schema { try $0.checked($0.integer(), in: range) }
  }
}

extension Schema where Value == Double {
  /// Any finite number.
  public static var number: Schema {
    number(in: -Double.greatestFiniteMagnitude...Double.greatestFiniteMagnitude)
  }

  /// A finite number.
  public static func number(in range: some RangeExpression<Double>) -> Schema {
    Schema { entry in
      let value: Double?
      switch entry.node.scalar {
      case .integer(let digits): value = Double(digits)
      case .number(let number): value = number
      default: throw entry.mustBe("a number")
      }
      guard let value, value.isFinite else { throw entry.problem(.outOfRange, "must be finite") }
      return try entry.checked(value, in: range)
    }
  }
}

extension Schema where Value == Bool {
  /// `true` or `false`.
  public static var boolean: Schema {
    Schema { entry in
      guard case .scalar(let text, false) = entry.node.content, text == "true" || text == "false"
      else { throw entry.mustBe("true or false") }
      return text == "true"
    }
  }
}

extension Schema where Value == String {
  /// Text; what looks like a number or a boolean has to be in quotes.
  public static var text: Schema {
    Schema { entry in
      guard case .text(let text) = entry.node.scalar else {
        throw entry.mustBe("text (in quotes if it looks like something else)")
      }
      return text
    }
  }
}

extension Schema {
  /// A list, of `count` elements.
  public static func list<Element>(
    of element: Schema<Element>,
    count: some RangeExpression<Int> = 0...
  ) -> Schema where Value == [Element] {
    Schema { entry in
      guard case .list(let nodes) = entry.node.content else { throw entry.mustBe("a list") }
      guard count.contains(nodes.count) else {
        let message = "must have a number of elements \(words(for: count)), not \(nodes.count)"
        throw entry.problem(.outOfRange, message)
      }
      return try readAll(nodes.enumerated().map { entry.element($0, $1) }, element)
    }
  }

  /// A mapping of names of the file's own choice, in the order of the file.
  public static func named<Element>(
    _ element: Schema<Element>
  ) -> Schema where Value == [(name: String, value: Element)] {
    Schema { entry in
      let members = try entry.mapping { $0.allMembers() }
      return Array(zip(members.map(\.name), try readAll(members.map(\.entry), element)))
        .map { (name: $0, value: $1) }
    }
  }

  /// What a schema makes of some values, or all that is wrong with them.
  private static func readAll<Element>(
    _ entries: [Entry],
    _ element: Schema<Element>
  ) throws -> [Element] {
    var values: [Element] = []
    var problems: [ConfigurationError.Problem] = []
    for entry in entries {
      do {
        values.append(try element.read(entry))
      } catch let error as ConfigurationError {
        problems += error.problems
      }
    }
    guard problems.isEmpty else { throw ConfigurationError(problems: problems) }
    return values
  }
}

extension Entry {
  /// The value as an integer.
  fileprivate func integer<Value: FixedWidthInteger>() throws -> Value {
    let value: Value?
    switch node.scalar {
    case .integer(let digits): value = Value(digits)
    // Beyond 2^53 not every integer is a number of this kind.
    case .number(let number) where number.rounded() == number && abs(number) <= 0x1p53:
      value = Value(exactly: number)
    default: throw mustBe("an integer")
    }
    guard let value else { throw problem(.outOfRange, "is too large or too small") }
    return value
  }

  /// A value that is in its range.
  fileprivate func checked<Value>(
    _ value: Value,
    in range: some RangeExpression<Value>
  ) throws -> Value {
    guard range.contains(value) else {
      throw problem(.outOfRange, "must be \(words(for: range)), not \(value)")
    }
    return value
  }
}

/// A range in words.
private func words<Value>(for range: some RangeExpression<Value>) -> String {
  switch range {
  case let range as PartialRangeFrom<Value>: "of at least \(range.lowerBound)"
  case let range as PartialRangeThrough<Value>: "of at most \(range.upperBound)"
  case let range as PartialRangeUpTo<Value>: "below \(range.upperBound)"
  default: "in \(range)"
  }
}
