public import TesseraCore

/// What an exchange may hold at most.
///
/// Whoever takes an exchange from another checks its description by these before anything of it is allocated, and again
/// before it is used.
public struct ExchangeLimits: Sendable, Hashable {
  /// How many tensors, parts, metrics and headers there may be, each.
  public var names: Int
  /// How long a name may be, in bytes of UTF-8.
  public var nameBytes: Int
  /// How many dimensions a tensor may have.
  public var dimensions: Int
  /// How many bytes all tensors may have together.
  public var bytes: Int
  /// How deep collections may lie in collections.
  public var depth: Int
  /// How long a text may be, in bytes of UTF-8.
  public static let textBytes = 1 << 20
  /// How many notes there may be of what was done to tensors, one after the other.
  public static let notes = 64

  /// Limits; the defaults leave room for any model that fits a machine.
  public init(
    names: Int = 100_000,
    nameBytes: Int = 512,
    dimensions: Int = 16,
    bytes: Int = 1 << 40,
    depth: Int = 4
  ) {
    self.names = names
    self.nameBytes = nameBytes
    self.dimensions = dimensions
    self.bytes = bytes
    self.depth = depth
  }

  /// Refuses an exchange that holds more.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/limitExceeded``, naming what is too much.
  public func check(_ exchange: Exchange) throws {
    var bytes = 0
    try check(exchange, depth: 0, bytes: &bytes)
  }

  /// Refuses the outline of an exchange that holds more.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/limitExceeded``, naming what is too much.
  public func check(_ outline: ExchangeOutline) throws {
    var bytes = 0
    try check(outline, depth: 0, bytes: &bytes)
  }

  /// Refuses a tensor's description: for readers, before they allocate it.
  ///
  /// - Parameters:
  ///   - name: The tensor's name.
  ///   - shape: Its shape.
  ///   - dtype: The type of its elements.
  ///   - bytes: The size of all tensors before it; its own is added.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/limitExceeded``.
  public func check(tensor name: String, shape: [Int], dtype: DType, bytes: inout Int) throws {
    try check(name: name)
    guard shape.count <= dimensions else {
      throw exceeded("tensor '\(name)' has \(shape.count) dimensions", dimensions)
    }
    var size = dtype.byteCount
    for extent in shape {
      // Of a tensor without elements too, whoever computes its strides multiplies the other extents.
      let (product, overflow) = size.multipliedReportingOverflow(by: max(extent, 1))
      guard extent >= 0, !overflow else {
        throw exceeded("tensor '\(name)' has the shape \(shape)", self.bytes)
      }
      size = product
    }
    if shape.contains(0) { size = 0 }
    let (sum, overflow) = bytes.addingReportingOverflow(size)
    guard !overflow, sum <= self.bytes else {
      throw exceeded("its tensors have \(overflow ? "too many" : "\(sum)") bytes", self.bytes)
    }
    bytes = sum
  }

  private func check(_ exchange: Exchange, depth: Int, bytes: inout Int) throws {
    try check(ExchangeOutline(of: exchange), depth: depth, bytes: &bytes)
  }

  private func check(_ outline: ExchangeOutline, depth: Int, bytes: inout Int) throws {
    guard depth <= self.depth else {
      throw exceeded("its collections lie \(depth) deep", self.depth)
    }
    let counts = [
      ("tensors", outline.tensors.count), ("parts", outline.parts.count),
      ("metrics", outline.metrics.count), ("headers", outline.headers.count),
    ]
    for (what, count) in counts where count > names {
      throw exceeded("it has \(count) \(what)", names)
    }
    for name in outline.metrics.keys { try check(name: name) }
    for (name, text) in outline.headers {
      try check(name: name)
      guard text.utf8.count <= Self.textBytes else {
        throw exceeded("a header has \(text.utf8.count) bytes", Self.textBytes)
      }
    }
    if case .custom(let name) = outline.kind { try check(name: name) }
    try check(outline.metadata)
    for entry in outline.tensors {
      try check(tensor: entry.name, shape: entry.shape, dtype: entry.dtype, bytes: &bytes)
    }
    for (name, part) in outline.parts {
      try check(name: name)
      try check(part, depth: depth + 1, bytes: &bytes)
    }
  }

  private func check(_ metadata: Exchange.Metadata) throws {
    for name in [metadata.contributor, metadata.algorithm].compactMap({ $0 }) {
      try check(name: name)
    }
    guard metadata.processing.count <= Self.notes else {
      throw exceeded("it has \(metadata.processing.count) notes of processing", Self.notes)
    }
    for note in metadata.processing {
      try check(name: note.algorithm)
      guard note.parameters.count <= Self.notes else {
        throw exceeded("a note has \(note.parameters.count) parameters", Self.notes)
      }
      for name in note.parameters.keys { try check(name: name) }
    }
    for list in [metadata.excluded] + metadata.processing.map(\.tensors) {
      guard list.count <= names else { throw exceeded("a list has \(list.count) names", names) }
      for name in list { try check(name: name) }
    }
  }

  private func check(name: String) throws {
    guard name.utf8.count <= nameBytes else {
      throw exceeded("a name has \(name.utf8.count) bytes", nameBytes)
    }
  }

  private func exceeded(_ what: String, _ limit: Int) -> FederationError {
    FederationError(code: .limitExceeded, message: "\(what); the limit is \(limit)")
  }
}
