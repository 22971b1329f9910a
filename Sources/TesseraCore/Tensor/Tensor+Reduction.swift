internal import CTessera

// Reductions are nouns; without dimensions they run over all elements and give a tensor of rank 0.
extension Tensor {
  /// The sum.
  ///
  /// - Parameters:
  ///   - dimensions: Those to reduce, counted from the end if negative; all of them if empty.
  ///   - keepingDimensions: Whether reduced dimensions stay, with size 1.
  /// - Returns: The reduced tensor: of rank 0 over all dimensions.
  /// - Throws: ``TensorError`` with code ``TensorError/Code/indexOutOfRange`` if there is no such dimension.
  public func sum(along dimensions: Int..., keepingDimensions: Bool = false) throws -> Tensor {
    try reduced(TESSERA_SUM, dimensions, keepingDimensions)
  }

  /// The mean.
  ///
  /// - Parameters:
  ///   - dimensions: Those to reduce, counted from the end if negative; all of them if empty.
  ///   - keepingDimensions: Whether reduced dimensions stay, with size 1.
  /// - Returns: The reduced tensor: of rank 0 over all dimensions.
  /// - Throws: ``TensorError`` with code ``TensorError/Code/indexOutOfRange`` if there is no such dimension.
  public func mean(along dimensions: Int..., keepingDimensions: Bool = false) throws -> Tensor {
    try reduced(TESSERA_MEAN, dimensions, keepingDimensions)
  }

  /// The greatest element.
  ///
  /// - Parameters:
  ///   - dimensions: Those to reduce, counted from the end if negative; all of them if empty.
  ///   - keepingDimensions: Whether reduced dimensions stay, with size 1.
  /// - Returns: The reduced tensor: of rank 0 over all dimensions.
  /// - Throws: ``TensorError`` with code ``TensorError/Code/indexOutOfRange`` if there is no such dimension.
  public func maximum(along dimensions: Int..., keepingDimensions: Bool = false) throws -> Tensor {
    try reduced(TESSERA_AMAX, dimensions, keepingDimensions)
  }

  /// The least element.
  ///
  /// - Parameters:
  ///   - dimensions: Those to reduce, counted from the end if negative; all of them if empty.
  ///   - keepingDimensions: Whether reduced dimensions stay, with size 1.
  /// - Returns: The reduced tensor: of rank 0 over all dimensions.
  /// - Throws: ``TensorError`` with code ``TensorError/Code/indexOutOfRange`` if there is no such dimension.
  public func minimum(along dimensions: Int..., keepingDimensions: Bool = false) throws -> Tensor {
    try reduced(TESSERA_AMIN, dimensions, keepingDimensions)
  }

  /// `log(Σ exp(x))`, without overflow.
  ///
  /// - Parameters:
  ///   - dimensions: Those to reduce, counted from the end if negative; all of them if empty.
  ///   - keepingDimensions: Whether reduced dimensions stay, with size 1.
  /// - Returns: The reduced tensor: of rank 0 over all dimensions.
  /// - Throws: ``TensorError`` with code ``TensorError/Code/indexOutOfRange`` if there is no such dimension.
  public func logSumExp(along dimensions: Int..., keepingDimensions: Bool = false) throws -> Tensor
  {
    try reduced(TESSERA_LOGSUMEXP, dimensions, keepingDimensions)
  }

  /// The Euclidean length, `sqrt(Σ x²)`.
  ///
  /// - Parameters:
  ///   - dimensions: Those to reduce, counted from the end if negative; all of them if empty.
  ///   - keepingDimensions: Whether reduced dimensions stay, with size 1.
  /// - Returns: The reduced tensor: of rank 0 over all dimensions.
  /// - Throws: ``TensorError`` with code ``TensorError/Code/indexOutOfRange`` if there is no such dimension.
  public func norm(along dimensions: Int..., keepingDimensions: Bool = false) throws -> Tensor {
    try reduced(TESSERA_NORM, dimensions, keepingDimensions)
  }

  /// Whether any element is true, or not zero.
  ///
  /// - Parameters:
  ///   - dimensions: Those to reduce, counted from the end if negative; all of them if empty.
  ///   - keepingDimensions: Whether reduced dimensions stay, with size 1.
  /// - Returns: The reduced tensor: of rank 0 over all dimensions.
  /// - Throws: ``TensorError`` with code ``TensorError/Code/indexOutOfRange`` if there is no such dimension.
  public func any(along dimensions: Int..., keepingDimensions: Bool = false) throws -> Tensor {
    try reduced(TESSERA_ANY, dimensions, keepingDimensions)
  }

  /// Whether all elements are true, or not zero.
  ///
  /// - Parameters:
  ///   - dimensions: Those to reduce, counted from the end if negative; all of them if empty.
  ///   - keepingDimensions: Whether reduced dimensions stay, with size 1.
  /// - Returns: The reduced tensor: of rank 0 over all dimensions.
  /// - Throws: ``TensorError`` with code ``TensorError/Code/indexOutOfRange`` if there is no such dimension.
  public func all(along dimensions: Int..., keepingDimensions: Bool = false) throws -> Tensor {
    try reduced(TESSERA_ALL, dimensions, keepingDimensions)
  }

  /// The variance.
  ///
  /// - Parameters:
  ///   - dimensions: Those to reduce; all of them if empty.
  ///   - correction: Subtracted from the count in the divisor; 1 for the unbiased estimate, 0 for the population's.
  ///   - keepingDimensions: Whether reduced dimensions stay, with size 1.
  /// - Returns: The reduced tensor: of rank 0 over all dimensions.
  /// - Throws: ``TensorError`` with code ``TensorError/Code/indexOutOfRange`` if there is no such dimension.
  public func variance(
    along dimensions: Int...,
    correction: Int = 1,
    keepingDimensions: Bool = false
  ) throws -> Tensor {
    try mapped {
      tessera_variance($0, dimensions, dimensions.count, correction, keepingDimensions, $1)
    }
  }

  /// The position of the greatest element along a dimension, as `int64`.
  public func argmax(along dimension: Int, keepingDimensions: Bool = false) throws -> Tensor {
    try mapped { tessera_argmax($0, dimension, false, keepingDimensions, $1) }
  }

  /// The position of the least element along a dimension, as `int64`.
  public func argmin(along dimension: Int, keepingDimensions: Bool = false) throws -> Tensor {
    try mapped { tessera_argmax($0, dimension, true, keepingDimensions, $1) }
  }

  /// The sums of all elements up to each one along a dimension.
  public func cumulativeSum(along dimension: Int) throws -> Tensor {
    try mapped { tessera_cumsum($0, dimension, $1) }
  }

  /// The product of the elements along a dimension.
  public func product(along dimension: Int, keepingDimensions: Bool = false) throws -> Tensor {
    try Tensor.call(
      "aten::prod.dim_int",
      .tensor(self),
      .int(dimension),
      .bool(keepingDimensions)
    ).single()
  }

  /// The `k` greatest (or least) elements along a dimension, best first, and their positions.
  public func top(
    _ k: Int,
    along dimension: Int = -1,
    largest: Bool = true
  ) throws -> (values: Tensor, indices: Tensor) {
    try pair { tessera_topk($0, k, dimension, largest, $1, $2) }
  }

  /// The elements in order along a dimension, and the positions they came from.
  ///
  /// Equal elements keep their order.
  public func sorted(
    along dimension: Int = -1,
    descending: Bool = false
  ) throws -> (values: Tensor, indices: Tensor) {
    try pair { tessera_sort($0, dimension, descending, $1, $2) }
  }

  private func reduced(
    _ kind: TesseraReduction,
    _ dimensions: [Int],
    _ keeping: Bool
  ) throws -> Tensor {
    try mapped { tessera_reduce($0, kind, dimensions, dimensions.count, keeping, $1) }
  }

  private func pair(
    _ operation: (OpaquePointer, Out, Out) -> TesseraCode
  ) throws -> (values: Tensor, indices: Tensor) {
    var second: OpaquePointer?
    let first = try mapped { operation($0, $1, &second) }
    guard let second else { throw TensorError(TESSERA_INTERNAL) }
    return (first, Tensor(owning: second))
  }
}
