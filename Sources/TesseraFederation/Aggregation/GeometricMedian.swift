public import TesseraCore

/// The point with the least weighted sum of distances to the updates (RFA: Pillutla, Kakade and Harchaoui, 2019).
///
/// It withstands less than half of the weight. Found by the smoothed Weiszfeld algorithm (algorithm 2): from the weighted mean on,
/// each update counts with its weight over its distance from the last point, `αᵢ / max(ν, ‖z − xᵢ‖)`.
///
/// Every such point is a mean `z = Σ λᵢ·xᵢ`, `Σ λᵢ = 1`, and its distances follow from those between the updates,
/// `‖z − xⱼ‖² = Σᵢ λᵢ·dᵢⱼ² − ½ Σᵢₖ λᵢ·λₖ·dᵢₖ²`: however many steps are needed, the updates are read twice.
public struct GeometricMedian: CollectiveRule {
  /// The distance `ν` below which updates do not count more, in units of the parameters.
  public let smoothing: Double
  /// How many steps are made at most.
  public let steps: Int
  /// The relative decrease of the sum of distances below which no more steps are made.
  public let tolerance: Double
  /// Where updates are kept.
  public var settings = CollectiveSettings()

  /// A geometric median.
  ///
  /// - Parameters:
  ///   - smoothing: The distance below which updates do not count more, above 0.
  ///   - steps: How many steps are made at most, at least 1.
  ///   - tolerance: The relative decrease of the sum of distances that is still worth a step, at least 0.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public init(smoothing: Double = 1e-6, steps: Int = 100, tolerance: Double = 1e-10) throws {
    guard smoothing > 0, smoothing.isFinite, steps >= 1, tolerance >= 0 else {
      throw FederationError(
        code: .invalidConfiguration,
        message: """
          the geometric median needs a smoothing above 0, at least 1 step and a tolerance of at least 0, \
          not \(smoothing), \(steps) and \(tolerance)
          """
      )
    }
    self.smoothing = smoothing
    self.steps = steps
    self.tolerance = tolerance
  }

  /// How much each update counts, `λ`.
  public func plan(for updates: CollectedUpdates) throws -> [Double] {
    let squares = try updates.squaredDistances()
    let total = updates.weights.reduce(0, +)
    let shares = updates.weights.map { $0 / total }
    var point = shares
    var last = Double.infinity
    for _ in 0..<steps {
      let distances = Self.distances(from: point, squares)
      let sum = zip(shares, distances).reduce(0) { $0 + $1.0 * $1.1 }
      guard last - sum > tolerance * sum || last == .infinity else { break }
      last = sum
      let counts = zip(shares, distances).map { $0 / max(smoothing, $1) }
      let all = counts.reduce(0, +)
      point = counts.map { $0 / all }
    }
    return point
  }

  /// The distances of a mean of the updates from each of them.
  private static func distances(from point: [Double], _ squares: [[Double]]) -> [Double] {
    let sums = squares.map { zip(point, $0).reduce(0) { $0 + $1.0 * $1.1 } }
    let spread = zip(point, sums).reduce(0) { $0 + $1.0 * $1.1 } / 2
    return sums.map { max(0, $0 - spread).squareRoot() }
  }

  /// The mean by these counts of the updates that have the tensor.
  public func combine(_ chunk: UpdateChunk, _ plan: [Double]) throws -> Tensor {
    let counts = chunk.updates.map { plan[$0] }
    let all = counts.reduce(0, +)
    // Updates that are infinitely far away count nothing.
    guard all > 0 else { return chunk.reference }
    let weights = try Tensor(counts.map { $0 / all }, shape: [counts.count, 1])
    return try (chunk.values.to(.float64) * weights).sum(along: 0)
  }
}

extension AggregationRule where Self == GeometricMedian {
  /// The point with the least weighted sum of distances to the updates.
  ///
  /// - Parameters:
  ///   - smoothing: The distance below which updates do not count more, above 0.
  ///   - steps: How many steps are made at most, at least 1.
  ///   - tolerance: The relative decrease of the sum of distances that is still worth a step, at least 0.
  /// - Returns: The rule.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public static func geometricMedian(
    smoothing: Double = 1e-6,
    steps: Int = 100,
    tolerance: Double = 1e-10
  ) throws -> Self {
    try Self(smoothing: smoothing, steps: steps, tolerance: tolerance)
  }
}
