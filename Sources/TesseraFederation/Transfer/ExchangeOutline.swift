public import TesseraCore

/// All of an exchange but its tensors' elements: what is sent first, and checked before anything is allocated.
public struct ExchangeOutline: Sendable, Hashable {
  /// A tensor without its elements.
  public struct Entry: Sendable, Hashable {
    /// Its name.
    public var name: String
    /// The type of its elements.
    public var dtype: DType
    /// Its shape.
    public var shape: [Int]

    /// A tensor's outline.
    public init(name: String, dtype: DType, shape: [Int]) {
      self.name = name
      self.dtype = dtype
      self.shape = shape
    }
  }

  /// What the exchange holds.
  public var kind: Exchange.Kind
  /// Its tensors, in their order.
  public var tensors: [Entry]
  /// The exchanges that it is made of, by name.
  public var parts: [String: ExchangeOutline]
  /// What was measured.
  public var metrics: [String: Double]
  /// What is known about the content.
  public var metadata: Exchange.Metadata
  /// Free text.
  public var headers: [String: String]
  /// Whether the content can be used.
  public var returnCode: ReturnCode

  /// The outline of an exchange.
  public init(of exchange: Exchange) {
    kind = exchange.kind
    tensors = exchange.tensors.entries.map {
      Entry(name: $0.name, dtype: $0.tensor.dtype, shape: $0.tensor.shape)
    }
    parts = exchange.parts.mapValues(ExchangeOutline.init)
    metrics = exchange.metrics
    metadata = exchange.metadata
    headers = exchange.headers
    returnCode = exchange.returnCode
  }

  /// An outline, as it was read.
  public init(
    kind: Exchange.Kind,
    tensors: [Entry] = [],
    parts: [String: ExchangeOutline] = [:],
    metrics: [String: Double] = [:],
    metadata: Exchange.Metadata = Exchange.Metadata(),
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

  /// The exchange that has these tensors.
  ///
  /// - Parameter tensor: Is asked for each tensor once: an exchange's own before those of its parts, parts by name.
  /// - Returns: The exchange.
  /// - Throws: What `tensor` throws; `TensorError` if two tensors have the same name.
  func exchange(_ tensor: (Entry) throws -> Tensor) throws -> Exchange {
    let own = try ModelState(tensors.map { (name: $0.name, tensor: try tensor($0)) })
    var parts: [String: Exchange] = [:]
    for (name, part) in self.parts.sorted(by: { $0.key < $1.key }) {
      parts[name] = try part.exchange(tensor)
    }
    return Exchange(
      kind,
      tensors: own,
      parts: parts,
      metrics: metrics,
      metadata: metadata,
      headers: headers,
      returnCode: returnCode
    )
  }

  /// All tensors, in the order of ``exchange(_:)``.
  var allTensors: [Entry] {
    tensors + parts.sorted { $0.key < $1.key }.flatMap { $0.value.allTensors }
  }
}
