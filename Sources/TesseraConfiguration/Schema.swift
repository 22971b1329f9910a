/// What a value of a configuration must be, and what is made of it.
///
///     .integer(in: 1...100)  .list(of: .text)  .list(of: .mapping(Site.init), count: 1...)  .component(from: filters)
///
/// A schema says what it allows, too (``ValueForm``), so that a reference of all keys can be made of the code that reads them.
public struct Schema<Value> {
  let read: (Entry) throws -> Value
  /// What the value may be, for people.
  let form: () -> ValueForm
  /// Some value that is allowed, to go on with where the file has none, so that more of it can be looked at.
  let sample: () -> Value?
  /// A value as it stands in a file, if it can.
  let text: (Value) -> String?

  init(
    form: @escaping () -> ValueForm,
    sample: @escaping () -> Value?,
    text: @escaping (Value) -> String? = { _ in nil },
    read: @escaping (Entry) throws -> Value
  ) {
    self.form = form
    self.sample = sample
    self.text = text
    self.read = read
  }

  /// A value that is read and then changed, or refused, by `transform`.
  ///
  /// What `transform` throws is reported with file and line.
  ///
  /// - Parameters:
  ///   - allowed: In words, which values `transform` does not refuse, for references; those of this schema if `nil`.
  ///   - transform: Makes the new value.
  /// - Returns: The schema of the new values.
  public func map<NewValue>(
    allowed: String? = nil,
    _ transform: @escaping (Value) throws -> NewValue
  ) -> Schema<NewValue> {
    Schema<NewValue> {
      var form = form()
      if let allowed { form.allowed = allowed }
      return form
    } sample: {
      sample().flatMap { try? transform($0) }
    } read: { entry in
      let value = try read(entry)
      return try entry.locating { try transform(value) }
    }
  }

  /// A value that may also be one of some words, each of which stands for something.
  public func or(_ words: KeyValuePairs<String, Value>) -> Schema {
    Schema {
      var form = form()
      let names = words.map { "`\($0.key)`" }.joined(separator: ", ")
      form.allowed = (form.allowed.map { $0 + ", or " } ?? "or ") + names
      return form
    } sample: {
      sample()
    } text: {
      "\($0)"
    } read: { entry in
      guard case .text(let text) = entry.node.scalar else { return try read(entry) }
      guard let value = words.first(where: { $0.key == text })?.value else {
        let hint = suggestion(for: text, among: words.map(\.key))
        throw entry.problem(.unknownName, "cannot be \(text.shown)\(hint)")
      }
      return value
    }
  }

  /// A value of one form if it is a list, and of another if it is not: for what people write once and seldom several times.
  ///
  ///     .either(.list(of: .text, count: 1...), .text.map { [$0] })
  ///
  /// - Parameters:
  ///   - list: Reads lists.
  ///   - other: Reads everything else.
  /// - Returns: The schema of both.
  public static func either(_ list: Schema, _ other: Schema) -> Schema {
    Schema {
      var form = other.form()
      form.type = "\(form.type), or \(list.form().type)"
      return form
    } sample: {
      other.sample() ?? list.sample()
    } text: {
      other.text($0) ?? list.text($0)
    } read: { entry in
      if case .list = entry.node.content { return try list.read(entry) }
      return try other.read(entry)
    }
  }

  /// A mapping, of which `body` must read all keys.
  public static func mapping(_ body: @escaping (Mapping) throws -> Value) -> Schema {
    Schema {
      ValueForm(type: "mapping", arguments: Mapping.arguments(readBy: body))
    } sample: {
      try? body(Mapping(describing: .init()))
    } read: {
      try $0.mapping(body)
    }
  }

  /// A component that a registry knows: its name, or a mapping of its `type` and its arguments.
  public static func component(from registry: Registry<Value>) -> Schema {
    Schema {
      ValueForm(type: registry.kind, choices: registry.names)
    } sample: {
      registry.sample()
    } read: {
      try registry.make($0)
    }
  }

  /// One of some names, each of which stands for something.
  public static func choice(of values: KeyValuePairs<String, Value>) -> Schema {
    Schema {
      ValueForm(type: "name", choices: values.map(\.key))
    } sample: {
      values.first?.value
    } text: { value in
      values.first { "\($0.value)" == "\(value)" }?.key
    } read: { entry in
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
    Schema {
      ValueForm(type: "name", choices: Value.allCases.map(\.rawValue))
    } sample: {
      Value.allCases.first
    } text: {
      $0.rawValue
    } read: { entry in
      let name = try Schema<String>.text.read(entry)
      guard let value = Value(rawValue: name) else {
        let hint = suggestion(for: name, among: Value.allCases.map(\.rawValue))
        throw entry.problem(.unknownName, "cannot be \(name.shown)\(hint)")
      }
      return value
    }
  }
}

extension Schema {
  /// A list, of `count` elements.
  public static func list<Element>(
    of element: Schema<Element>,
    count: some RangeExpression<Int> = 0...
  ) -> Schema where Value == [Element] {
    Schema {
      let form = element.form()
      return ValueForm(
        type: "list of \(form.type)",
        allowed: form.allowed,
        choices: form.choices,
        arguments: form.arguments
      )
    } sample: {
      if count.contains(0) { return [] }
      guard let one = element.sample(), let least = (1...8).first(where: { count.contains($0) })
      else { return nil }
      return Array(repeating: one, count: least)
    } text: { values in
      let texts = values.compactMap { element.text($0) }
      return texts.count == values.count ? "[\(texts.joined(separator: ", "))]" : nil
    } read: { entry in
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
    Schema {
      let form = element.form()
      return ValueForm(
        type: form.type + (form.allowed.map { " \($0)" } ?? "") + " for each name",
        choices: form.choices,
        arguments: form.arguments
      )
    } sample: {
      []
    } text: {
      $0.isEmpty ? "{}" : nil
    } read: { entry in
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
