public import TesseraCore

/// Singular vector canonical correlation analysis: how alike two representations of the same things are, whatever their axes (Raghu et
/// al., 2017).
public struct CanonicalCorrelation: Sendable {
  /// The directions that hold most of a representation's variance, orthonormal, `[things, directions]`.
  private let directions: Tensor

  /// A representation, reduced to the directions that hold most of its variance.
  ///
  /// - Parameters:
  ///   - vectors: `[things, dimension]`.
  ///   - variance: The share of the variance that is kept.
  /// - Throws: ``RetrievalError`` with code ``RetrievalError/Code/invalidArgument`` if there are fewer than two things.
  public init(_ vectors: Tensor, keeping variance: Double = 0.99) throws {
    guard vectors.rank == 2, vectors.shape[0] >= 2 else {
      throw RetrievalError(
        code: .invalidArgument,
        message:
          "a correlation needs [things, dimension] of two things or more, not \(vectors.shape)"
      )
    }
    let centred =
      try vectors.to(.float64) - vectors.to(.float64).mean(along: 0, keepingDimensions: true)
    let (u, s, _) = try centred.singularValues()
    let squares = try (s * s).array(of: Double.self)
    let total = squares.reduce(0, +)
    var sum = 0.0
    var count = 0
    // Directions without any variance are no directions.
    while count < squares.count, squares[count] > total * 1e-12, sum < variance * total {
      sum += squares[count]
      count += 1
    }
    directions = try u.slices(in: 0..<max(1, count), along: 1)
  }

  /// The mean of the canonical correlations with another representation of the same things, in `0...1`.
  ///
  /// - Parameter other: Of the same things in the same order.
  /// - Returns: The mean over as many directions as the one with fewer has.
  /// - Throws: ``RetrievalError`` with code ``RetrievalError/Code/invalidArgument`` if it is of another number of things.
  public func mean(with other: CanonicalCorrelation) throws -> Double {
    guard directions.shape[0] == other.directions.shape[0] else {
      throw RetrievalError(
        code: .invalidArgument,
        message: """
          representations of \(directions.shape[0]) and \(other.directions.shape[0]) things have no \
          correlation
          """
      )
    }
    let products = try directions.transposed().matmul(other.directions)
    // A map takes ten thousands of these, and none of the directions: values alone are a fraction of the work.
    let correlations = try Tensor.call("aten::linalg_svdvals", .tensor(products)).single()
    // Rounding may lead a little beyond 1.
    return min(1, try correlations.mean().item())
  }

  /// The same things in another order: what has nothing to do with the things themselves stays.
  func shuffled(by order: [Int]) throws -> CanonicalCorrelation {
    try CanonicalCorrelation(directions: directions.gathered(Tensor(order)))
  }

  private init(directions: Tensor) { self.directions = directions }
}
