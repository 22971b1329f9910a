public import TesseraCore

/// What crosses the border of a site, in either direction: tensors and measurements, and what they are.
///
/// Tasks carry one to a site, answers carry one back, and ``Filter``s change them on the way. Everything large is a tensor
/// under a name, whatever was done to it: a quantised, encrypted or masked model is a ``ModelState`` too, and
/// ``Metadata-swift.struct/processing`` says how to read it.
///
///     let answer = Exchange.weights(model.state(), samples: 600, metrics: ["loss": 0.3])
public struct Exchange: Sendable {
  /// What the tensors and measurements mean.
  public var kind: Kind
  /// The tensors, by name.
  public var tensors: ModelState
  /// The exchanges that a collection is made of, by name.
  public var parts: [String: Exchange]
  /// What was measured, by name.
  public var metrics: [String: Double]
  /// What is known about the content.
  public var metadata: Metadata
  /// Free text between an application's two sides; Tessera itself reads the ``reason`` alone.
  public var headers: [String: String]
  /// Whether the content can be used.
  public var returnCode: ReturnCode

  /// An exchange of any kind.
  public init(
    _ kind: Kind,
    tensors: ModelState = .empty,
    parts: [String: Exchange] = [:],
    metrics: [String: Double] = [:],
    metadata: Metadata = Metadata(),
    headers: [String: String] = [:],
    returnCode: ReturnCode = .ok
  ) {
    self.kind = kind
    self.tensors = tensors
    self.parts = parts
    self.metrics = metrics
    self.metadata = metadata
    self.headers = headers
    self.returnCode = returnCode
  }

  /// What an exchange holds.
  public enum Kind: Hashable, Sendable {
    /// A model's tensors.
    case weights
    /// A model's tensors less those that the task came with.
    case weightDifference
    /// Measurements of a model.
    case metrics
    /// Measurements over time, for plots.
    case analytics
    /// Properties of a site's data.
    case statistics
    /// Several exchanges under names.
    case collection
    /// What an application has agreed on with itself.
    case custom(String)

    /// Whether the tensors are a model, whole or as a difference.
    public var isModel: Bool { self == .weights || self == .weightDifference }

    /// The name, as files and messages have it.
    public var name: String {
      switch self {
      case .weights: "weights"
      case .weightDifference: "weight difference"
      case .metrics: "metrics"
      case .analytics: "analytics"
      case .statistics: "statistics"
      case .collection: "collection"
      case .custom(let name): "custom: \(name)"
      }
    }

    /// The kind of that name, or `nil` if there is none.
    public init?(name: String) {
      let known: [Kind] = [
        .weights, .weightDifference, .metrics, .analytics, .statistics, .collection,
      ]
      if let kind = known.first(where: { $0.name == name }) {
        self = kind
      } else if name.hasPrefix("custom: ") {
        self = .custom(String(name.dropFirst(8)))
      } else {
        return nil
      }
    }
  }
}

extension Exchange {
  /// A model's tensors.
  ///
  /// - Parameters:
  ///   - model: The tensors.
  ///   - samples: On how many examples they were trained; the weight in a mean, unless another is given.
  ///   - weight: How much they count in a mean.
  ///   - metrics: What the site measured: `loss`, the mean over its training; others at will.
  /// - Returns: An exchange of kind ``Kind-swift.enum/weights``.
  public static func weights(
    _ model: ModelState,
    samples: Int? = nil,
    weight: Double? = nil,
    metrics: [String: Double] = [:]
  ) -> Exchange {
    Exchange(
      .weights,
      tensors: model,
      metrics: metrics,
      metadata: Metadata(samples: samples, weight: weight)
    )
  }

  /// A model's tensors less those that the task came with.
  ///
  /// The parameters are those of ``weights(_:samples:weight:metrics:)``.
  public static func difference(
    _ difference: ModelState,
    samples: Int? = nil,
    weight: Double? = nil,
    metrics: [String: Double] = [:]
  ) -> Exchange {
    Exchange(
      .weightDifference,
      tensors: difference,
      metrics: metrics,
      metadata: Metadata(samples: samples, weight: weight)
    )
  }

  /// Measurements alone.
  public static func metrics(_ metrics: [String: Double], samples: Int? = nil) -> Exchange {
    Exchange(.metrics, metrics: metrics, metadata: Metadata(samples: samples))
  }

  /// Several exchanges under names.
  public static func collection(
    _ parts: [String: Exchange],
    metrics: [String: Double] = [:],
    metadata: Metadata = Metadata()
  ) -> Exchange {
    Exchange(.collection, parts: parts, metrics: metrics, metadata: metadata)
  }

  /// The size of all tensors, those of parts too, in bytes.
  public var byteCount: Int { parts.values.reduce(tensors.byteCount) { $0 + $1.byteCount } }

  /// The exchange with each of its models changed, also those among its parts.
  ///
  /// - Throws: What `transform` throws.
  public func mapModels(_ transform: (Exchange) throws -> Exchange) rethrows -> Exchange {
    if kind.isModel { return try transform(self) }
    guard !parts.isEmpty else { return self }
    var result = self
    result.parts = try parts.mapValues { try $0.mapModels(transform) }
    return result
  }
}
