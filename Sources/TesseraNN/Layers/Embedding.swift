public import TesseraCore

/// A table of vectors, looked up by index.
public final class Embedding: Layer {
  /// `[entries, width]`.
  public let weight: Parameter
  /// A row that is zero at first and gets no gradient.
  public let paddingIndex: Int?

  /// A table with entries from the standard normal distribution.
  public init(
    entries: Int,
    width: Int,
    paddingIndex: Int? = nil,
    initializer: Initializer = .normal(),
    using generator: Generator
  ) throws {
    var table = try initializer([entries, width], using: generator)
    if let paddingIndex {
      guard (0..<entries).contains(paddingIndex) else {
        throw TensorError(
          code: .indexOutOfRange,
          message: "the padding index \(paddingIndex) is outside 0..<\(entries)"
        )
      }
      table = try table.replacing(
        at: [Tensor([paddingIndex], on: table.device)],
        with: Tensor.zeros([1, width], on: table.device)
      )
    }
    weight = try Parameter(table)
    self.paddingIndex = paddingIndex
  }

  /// The vectors at the given indices.
  ///
  /// - Parameter indices: `int64` or `int32`, of any shape.
  /// - Returns: `[…indices' shape, width]`.
  /// - Throws: `TensorError` with code `indexOutOfRange` if an index is outside the table.
  public func callAsFunction(_ indices: Tensor) throws -> Tensor {
    try weight.value.embeddings(at: indices, paddingIndex: paddingIndex)
  }
}

/// A table of vectors, of which bags are looked up and combined.
public final class EmbeddingBag: Module {
  /// `[entries, width]`.
  public let weight: Parameter
  /// How the vectors of a bag become one.
  public let reduction: BagReduction

  /// A table with entries from the standard normal distribution.
  public init(
    entries: Int,
    width: Int,
    reduction: BagReduction = .mean,
    initializer: Initializer = .normal(),
    using generator: Generator
  ) throws {
    weight = try Parameter(initializer([entries, width], using: generator))
    self.reduction = reduction
  }

  /// One vector per bag.
  ///
  /// - Parameters:
  ///   - indices: All bags one after the other, `int64`, rank 1.
  ///   - offsets: Where each bag starts, `int64`, rank 1.
  ///   - weights: A factor per index, for sums only.
  /// - Returns: `[bags, width]`.
  /// - Throws: `TensorError` with code `indexOutOfRange` if an index is outside the table.
  public func callAsFunction(
    _ indices: Tensor,
    offsets: Tensor,
    weights: Tensor? = nil
  ) throws -> Tensor {
    try weight.value.embeddingBags(
      at: indices,
      offsets: offsets,
      reduction: reduction,
      weights: weights
    )
  }
}
