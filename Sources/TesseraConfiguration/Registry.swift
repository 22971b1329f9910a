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

  private var factories: [String: @Sendable (Mapping) throws -> Product] = [:]

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
  ///   - make: Reads the arguments and makes the component. What it throws is reported with file and line.
  public mutating func register(
    _ name: String,
    _ make: @escaping @Sendable (_ arguments: Mapping) throws -> Product
  ) {
    precondition(factories[name] == nil, "the \(kind) '\(name)' is registered twice")
    factories[name] = make
  }

  /// A registry of the same names whose components are changed by arguments that all of them have.
  ///
  /// - Parameter change: Gets the component and the arguments that it was made of; it may read more of them.
  /// - Returns: The registry.
  public func changed(
    by change: @escaping @Sendable (Product, _ arguments: Mapping) throws -> Product
  ) -> Registry {
    var result = self
    result.factories = factories.mapValues { make in
      { arguments in try change(make(arguments), arguments) }
    }
    return result
  }

  /// The component that a value names.
  func make(_ entry: Entry) throws -> Product {
    switch entry.node.content {
    case .mapping(let members):
      let arguments = Mapping(entry, members)
      let name = try arguments.required("type", .text)
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
    return factory
  }
}
