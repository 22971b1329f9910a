internal import CTessera

/// How the vectors of a bag become one.
public enum BagReduction: Int, Hashable, Sendable {
  /// Their sum.
  case sum = 0
  /// Their mean.
  case mean = 1
  /// Their greatest element at each place.
  case maximum = 2
}

extension Tensor {
  /// The rows of this table, `[entries, width]`, that `indices` name.
  ///
  /// - Parameters:
  ///   - indices: `int64` or `int32`, of any shape.
  ///   - paddingIndex: A row that gets no gradient.
  /// - Returns: `[…indices' shape, width]`.
  /// - Throws: ``TensorError`` with code ``TensorError/Code/indexOutOfRange`` if an index is outside the table.
  public func embeddings(at indices: Tensor, paddingIndex: Int? = nil) throws -> Tensor {
    try named("an index is outside 0..<\(shape.first ?? 0)", if: .indexOutOfRange) {
      try mapped(with: indices) { tessera_embedding($0, $1, paddingIndex ?? -1, $2) }
    }
  }

  /// For each bag of indices, the rows of this table, `[entries, width]`, combined into one.
  ///
  /// - Parameters:
  ///   - indices: All bags one after the other, `int64`, rank 1.
  ///   - offsets: Where each bag starts, `int64`, rank 1.
  ///   - reduction: How the rows are combined.
  ///   - weights: A factor per index, for sums only.
  /// - Returns: `[bags, width]`.
  /// - Throws: ``TensorError`` with code ``TensorError/Code/indexOutOfRange`` if an index is outside the table.
  public func embeddingBags(
    at indices: Tensor,
    offsets: Tensor,
    reduction: BagReduction = .mean,
    weights: Tensor? = nil
  ) throws -> Tensor {
    try named("an index is outside 0..<\(shape.first ?? 0)", if: .indexOutOfRange) {
      try withExtendedLifetime((handle, indices.handle, offsets.handle, weights?.handle)) {
        try Tensor.produced {
          tessera_embedding_bag(
            pointer,
            indices.pointer,
            offsets.pointer,
            reduction.rawValue,
            weights?.pointer,
            $0
          )
        }
      }
    }
  }
}
