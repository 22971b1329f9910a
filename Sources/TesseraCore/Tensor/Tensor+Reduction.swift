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
    try sum(along: dimensions, keepingDimensions: keepingDimensions)
  }

  /// The sum along the listed dimensions.
  public func sum(along dimensions: [Int], keepingDimensions: Bool = false) throws -> Tensor {
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
    try mean(along: dimensions, keepingDimensions: keepingDimensions)
  }

  /// The mean along the listed dimensions.
  public func mean(along dimensions: [Int], keepingDimensions: Bool = false) throws -> Tensor {
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
    try maximum(along: dimensions, keepingDimensions: keepingDimensions)
  }

  /// The greatest element along the listed dimensions.
  public func maximum(along dimensions: [Int], keepingDimensions: Bool = false) throws -> Tensor {
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
    try minimum(along: dimensions, keepingDimensions: keepingDimensions)
  }

  /// The least element along the listed dimensions.
  public func minimum(along dimensions: [Int], keepingDimensions: Bool = false) throws -> Tensor {
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
    try logSumExp(along: dimensions, keepingDimensions: keepingDimensions)
  }

  /// `log(Σ exp(x))` along the listed dimensions.
  public func logSumExp(along dimensions: [Int], keepingDimensions: Bool = false) throws -> Tensor {
    try reduced(TESSERA_LOGSUMEXP, dimensions, keepingDimensions)
  }

  /// The length of the elements as a vector, `(Σ |x|^order)^(1/order)`: the Euclidean one by default.
  ///
  /// - Parameters:
  ///   - order: 1 for the sum of magnitudes, infinity for the greatest magnitude.
  ///   - dimensions: Those to reduce, counted from the end if negative; all of them if empty.
  ///   - keepingDimensions: Whether reduced dimensions stay, with size 1.
  /// - Returns: The reduced tensor: of rank 0 over all dimensions.
  /// - Throws: ``TensorError`` with code ``TensorError/Code/indexOutOfRange`` if there is no such dimension.
  public func norm(
    order: Double = 2,
    along dimensions: Int...,
    keepingDimensions: Bool = false
  ) throws -> Tensor {
    try norm(order: order, along: dimensions, keepingDimensions: keepingDimensions)
  }

  /// The length of the elements along the listed dimensions.
  public func norm(
    order: Double = 2,
    along dimensions: [Int],
    keepingDimensions: Bool = false
  ) throws -> Tensor {
    try mapped {
      tessera_norm($0, order, dimensions, dimensions.count, keepingDimensions, $1)
    }
  }

  /// Whether any element is true, or not zero.
  ///
  /// - Parameters:
  ///   - dimensions: Those to reduce, counted from the end if negative; all of them if empty.
  ///   - keepingDimensions: Whether reduced dimensions stay, with size 1.
  /// - Returns: The reduced tensor: of rank 0 over all dimensions.
  /// - Throws: ``TensorError`` with code ``TensorError/Code/indexOutOfRange`` if there is no such dimension.
  public func any(along dimensions: Int..., keepingDimensions: Bool = false) throws -> Tensor {
    try self.any(along: dimensions, keepingDimensions: keepingDimensions)
  }

  /// Whether any element along the listed dimensions is true, or not zero.
  public func any(along dimensions: [Int], keepingDimensions: Bool = false) throws -> Tensor {
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
    try all(along: dimensions, keepingDimensions: keepingDimensions)
  }

  /// Whether all elements along the listed dimensions are true, or not zero.
  public func all(along dimensions: [Int], keepingDimensions: Bool = false) throws -> Tensor {
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
    try variance(
      along: dimensions,
      correction: correction,
      keepingDimensions: keepingDimensions
    )
  }

  /// The variance along the listed dimensions.
  public func variance(
    along dimensions: [Int],
    correction: Int = 1,
    keepingDimensions: Bool = false
  ) throws -> Tensor {
    try mapped {
      tessera_variance($0, dimensions, dimensions.count, correction, keepingDimensions, $1)
    }
  }

  /// The standard deviation, the square root of the variance.
  ///
  /// - Parameters:
  ///   - dimensions: Those to reduce; all of them if empty.
  ///   - correction: Subtracted from the count in the variance's divisor.
  ///   - keepingDimensions: Whether reduced dimensions stay, with size 1.
  /// - Returns: The reduced tensor: of rank 0 over all dimensions.
  /// - Throws: ``TensorError`` with code ``TensorError/Code/indexOutOfRange`` if there is no such dimension.
  public func standardDeviation(
    along dimensions: Int...,
    correction: Int = 1,
    keepingDimensions: Bool = false
  ) throws -> Tensor {
    try standardDeviation(
      along: dimensions,
      correction: correction,
      keepingDimensions: keepingDimensions
    )
  }

  /// The standard deviation along the listed dimensions.
  public func standardDeviation(
    along dimensions: [Int],
    correction: Int = 1,
    keepingDimensions: Bool = false
  ) throws -> Tensor {
    try sqrt(
      variance(along: dimensions, correction: correction, keepingDimensions: keepingDimensions)
    )
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

  private func reduced(
    _ kind: TesseraReduction,
    _ dimensions: [Int],
    _ keeping: Bool
  ) throws -> Tensor {
    try mapped { tessera_reduce($0, kind, dimensions, dimensions.count, keeping, $1) }
  }
}
