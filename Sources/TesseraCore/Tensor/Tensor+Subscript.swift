/// What a subscript takes along one dimension of a tensor.
///
/// A whole number takes one position, and the dimension disappears; a range keeps it. Positions count from the end if they
/// are negative.
public protocol TensorIndex: Sendable {
  /// The part of a tensor that the index takes along a dimension, of the same rank or one less.
  func part(of tensor: Tensor, along dimension: Int) throws -> Tensor
}

extension Tensor {
  /// The part of the tensor at the given places, one for each leading dimension; the others are taken whole.
  ///
  ///     let row = try matrix[3]
  ///     let crop = try images[0, 0..., 16..<48, (-32)...]
  ///
  /// The part is a view of the tensor. A ``TensorError`` with code ``TensorError/Code/indexOutOfRange`` is thrown if a
  /// place is outside, or there are more of them than dimensions.
  public subscript(_ indices: any TensorIndex...) -> Tensor {
    get throws {
      guard indices.count <= rank else {
        throw TensorError(
          code: .indexOutOfRange,
          message: "\(indices.count) indices for a tensor of shape \(shape)"
        )
      }
      var part = self
      var dimension = 0
      for index in indices {
        let next = try index.part(of: part, along: dimension)
        // After a single position, the next dimension has moved into the place of this one.
        if next.rank == part.rank { dimension += 1 }
        part = next
      }
      return part
    }
  }
}

extension Int: TensorIndex {
  /// The slice at this position.
  public func part(of tensor: Tensor, along dimension: Int) throws -> Tensor {
    try tensor.slice(at: self, along: dimension)
  }
}

extension Range<Int>: TensorIndex {
  /// The slices at these positions.
  public func part(of tensor: Tensor, along dimension: Int) throws -> Tensor {
    try tensor.slices(in: self, along: dimension)
  }
}

extension ClosedRange<Int>: TensorIndex {
  /// The slices at these positions.
  public func part(of tensor: Tensor, along dimension: Int) throws -> Tensor {
    // No tensor has a position `.max`; the range that ends there is as much outside as the one after it.
    let end = upperBound == .max ? upperBound : upperBound + 1
    return try tensor.slices(in: lowerBound..<end, along: dimension)
  }
}

extension PartialRangeFrom<Int>: TensorIndex {
  /// The slices from this position on.
  public func part(of tensor: Tensor, along dimension: Int) throws -> Tensor {
    let end = try lowerBound < 0 ? 0 : tensor.size(of: dimension)
    return try tensor.slices(in: lowerBound..<Swift.max(lowerBound, end), along: dimension)
  }
}

extension PartialRangeUpTo<Int>: TensorIndex {
  /// The slices before this position.
  public func part(of tensor: Tensor, along dimension: Int) throws -> Tensor {
    let start = try upperBound < 0 ? -tensor.size(of: dimension) : 0
    return try tensor.slices(in: Swift.min(start, upperBound)..<upperBound, along: dimension)
  }
}

extension PartialRangeThrough<Int>: TensorIndex {
  /// The slices up to this position.
  public func part(of tensor: Tensor, along dimension: Int) throws -> Tensor {
    // The last position, -1, has none after it to name.
    guard upperBound != -1 else { return try (0...).part(of: tensor, along: dimension) }
    let end = upperBound == .max ? upperBound : upperBound + 1
    return try PartialRangeUpTo(end).part(of: tensor, along: dimension)
  }
}
