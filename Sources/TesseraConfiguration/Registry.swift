/// Components that a configuration can name, and how they are made from their arguments.
///
///     var rules = Registry<any AggregationRule>(of: "aggregation rule")
///     rules.register("mean") { _ in WeightedMean() }
///     rules.register("trimmed-mean") { arguments in
///       try TrimmedMean(trim: arguments.optional("trim", .number(in: 0...0.49), default: 0.1))
///     }
///
/// In the file, a component is its name, or a mapping of its `type` and its arguments:
///
///     aggregation: mean
///     aggregation: {type: trimmed-mean, trim: 0.2}
public struct Registry<Product>: Sendable {
  /// What the components are, in the singular, for messages.
  public let kind: String

  private struct Factory {
    var summary: String
    var make: @Sendable (Mapping) throws -> Product
  }

  private var factories: [String: Factory] = [:]

  /// An empty registry.
  ///
  /// - Parameter kind: What the components are, in the singular, for messages.
  public init(of kind: String) {
    self.kind = kind
  }

  /// The names of the components, in order.
  public var names: [String] { factories.keys.sorted() }

  /// Adds a component.
  ///
  /// - Parameters:
  ///   - name: What configurations call it. Two components of one name are a mistake in the program, which stops.
  ///   - summary: What it does, in a sentence, for references.
  ///   - make: Reads the arguments and makes the component. What it throws is reported with file and line. It reads all its
  ///     arguments before it looks at their values, so that references have all of them.
  public mutating func register(
    _ name: String,
    summary: String = "",
    _ make: @escaping @Sendable (_ arguments: Mapping) throws -> Product
  ) {
    precondition(factories[name] == nil, "the \(kind) '\(name)' is registered twice")
    factories[name] = Factory(summary: summary, make: make)
  }

  /// A component is made otherwise from now on.
  ///
  /// - Parameters:
  ///   - name: Its name; nothing happens if there is none of that name.
  ///   - make: As of ``register(_:summary:_:)``.
  package mutating func change(
    _ name: String,
    _ make: @escaping @Sendable (_ arguments: Mapping) throws -> Product
  ) {
    factories[name]?.make = make
  }

  /// All components with their arguments, by name: found by running what makes them, so never other than it.
  public var descriptions: [ComponentDescription] {
    factories.sorted { $0.key < $1.key }.map { name, factory in
      ComponentDescription(
        kind: kind,
        name: name,
        summary: factory.summary,
        arguments: Mapping.arguments(readBy: factory.make)
      )
    }
  }

  /// Some component, to go on with where a file names none that can be made.
  func sample() -> Product? {
    for (_, factory) in factories.sorted(by: { $0.key < $1.key }) {
      if let product = try? factory.make(Mapping(describing: .init())) { return product }
    }
    return nil
  }

  /// A registry of the same names whose components are changed by arguments that all of them have.
  ///
  /// - Parameter change: Gets the component and the arguments that it was made of; it may read more of them.
  /// - Returns: The registry.
  public func changed(
    by change: @escaping @Sendable (Product, _ arguments: Mapping) throws -> Product
  ) -> Registry {
    var result = self
    result.factories = factories.mapValues { factory in
      Factory(summary: factory.summary) { arguments in
        try change(factory.make(arguments), arguments)
      }
    }
    return result
  }

  /// The component that a value names.
  func make(_ entry: Entry) throws -> Product {
    switch entry.node.content {
    case .mapping(let members):
      let arguments = Mapping(entry, members)
      let name = try arguments.required("type", .text)
      // Without a type nobody knows what the other keys are.
      guard arguments.problems.isEmpty else {
        throw ConfigurationError(problems: arguments.problems)
      }
      let place = members.first { $0.key == "type" }?.value.position
      return try entry.read(arguments, factory(name, entry, place))
    case .scalar where entry.node.typeName == "text":
      let name = try Schema<String>.text.read(entry)
      return try entry.read(Mapping(entry, []), factory(name, entry, nil))
    default:
      throw entry.mustBe("the name of a component, or a mapping with its type")
    }
  }

  private func factory(
    _ name: String,
    _ entry: Entry,
    _ position: ConfigurationError.Position?
  ) throws -> @Sendable (Mapping) throws -> Product {
    guard let factory = factories[name] else {
      throw entry.problem(
        .unknownName,
        "unknown \(kind) \(name.shown)\(suggestion(for: name, among: names))",
        at: position
      )
    }
    return factory.make
  }
}
