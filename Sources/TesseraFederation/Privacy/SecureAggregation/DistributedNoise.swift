internal import Foundation

/// Noise for central differential privacy that no one party knows: each site adds a share before masking
/// (Kairouz, Liu and Steinke, 2021: the distributed discrete Gaussian mechanism).
///
/// The share is discrete Gaussian with variance `σ² / minimumSurvivors`, so the sum over that many sites has the deviation σ.
/// What drop-outs do:
///
/// - The round is abandoned with fewer survivors than ``SecureAggregationConfiguration/minimumSurvivors``; make this the same
///   number. So the noise is never too little, whoever drops out and when: a share is inside the masked vector, and is in the
///   sum exactly if the vector is.
/// - With more survivors there is more noise than needed, by the root of the ratio: ``deviation(survivors:)``.
///
/// Sites that work together with the server can subtract their own shares: count them out, by a `minimumSurvivors` that is
/// lower by their number than the round's. The guarantee holds only for sites that add their share honestly.
///
/// The weight, the last element of a vector, gets no noise. Where it says something about a site, give every site the weight 1
/// and divide by a public number.
public struct DistributedNoise: Sendable, Hashable {
  /// The deviation of the noise in the sum that was asked for, in units of the vector.
  public let deviation: Double
  /// How many sites' shares give that deviation.
  public let minimumSurvivors: Int
  /// The variance of one site's share, in units of the vector squared: a whole number, rounded up.
  public let shareVariance: Int
  private let distribution: DiscreteGaussian

  /// Noise for a sum of vectors of whole numbers.
  ///
  /// - Parameters:
  ///   - deviation: The deviation of the noise in the sum, in units of the vector.
  ///   - minimumSurvivors: How many honest sites' vectors the sum has at least.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration`` if a share's deviation were not in
  ///   1...2^24 units. A finer or coarser resolution of the encoding brings it there.
  public init(deviation: Double, minimumSurvivors: Int) throws {
    let count = Double(minimumSurvivors)
    // The square of a root is often a whole number but for its last digits.
    let exact = 1 - 4 * Double.ulpOfOne
    let share = (deviation * deviation / max(count, 1) * exact).rounded(.up)
    guard deviation > 0, minimumSurvivors >= 1,
      (1...Double(DiscreteGaussian.largestVariance)).contains(share),
      // Below one unit a share would be far more than was asked for.
      deviation * deviation >= count * exact
    else {
      throw FederationError(
        code: .invalidConfiguration,
        message: """
          distributed noise: a deviation of \(deviation) units over \(minimumSurvivors) sites needs \
          shares whose deviation is not in 1...2^24 units; choose another resolution
          """
      )
    }
    self.deviation = deviation
    self.minimumSurvivors = minimumSurvivors
    shareVariance = Int(share)
    distribution = DiscreteGaussian(variance: UInt64(share))
  }

  /// Noise for a sum of states.
  ///
  /// - Parameters:
  ///   - deviation: The deviation of the noise in Σ w·x, in the unit of the states.
  ///   - encoding: How states are encoded.
  ///   - minimumSurvivors: How many honest sites' vectors the sum has at least.
  /// - Throws: As ``init(deviation:minimumSurvivors:)``.
  public init(
    deviation: Double,
    of encoding: FixedPointEncoding,
    minimumSurvivors: Int
  ) throws {
    try self.init(
      deviation: deviation / encoding.resolution,
      minimumSurvivors: minimumSurvivors
    )
  }

  /// The deviation of the noise in the sum of so many sites' vectors, in units of the vector.
  public func deviation(survivors: Int) -> Double {
    (Double(shareVariance) * Double(max(survivors, 0))).squareRoot()
  }

  /// Adds one site's share to its vector, modulo 2^64.
  ///
  /// - Parameters:
  ///   - vector: The vector before it is masked.
  ///   - count: How many elements from the first get noise: ``FixedPointEncoding/elementCount``, for example.
  ///   - secrets: Where the noise comes from. One key gives one share: derive it from site and round.
  /// - Complexity: O(`count`), about a microsecond for an element.
  public func addShare(
    to vector: inout [UInt64],
    first count: Int,
    secrets: SecretSource = .system
  ) {
    var numbers = secrets.numbers("noise")
    for position in vector.indices.prefix(max(0, count)) {
      vector[position] &+= UInt64(bitPattern: distribution.sample(using: &numbers))
    }
  }

  /// The ε of the ½ε²-concentrated differential privacy of one sum, towards whoever sees it, for one site's contribution being
  /// there or zero.
  ///
  /// The sum of discrete Gaussians is almost one itself; how far from it is bounded by `τ`, and
  /// `ε = min(√(Δ²/σ² + 2τd), Δ/σ + τ√d)` (Kairouz, Liu and Steinke, 2021, proposition 14; the Rényi divergence of order α is
  /// at most α · ε² / 2). The ledger of a job composes rounds: ½ε² add up.
  ///
  /// - Parameters:
  ///   - sensitivity: The largest Euclidean norm of a contribution in units, ``FixedPointEncoding/sensitivity(ofNorm:)``.
  ///   - dimension: How many elements get noise.
  ///   - survivors: How many honest sites' shares are in the sum; ``minimumSurvivors`` if `nil`.
  /// - Returns: ε; infinity for no survivors.
  public func concentratedEpsilon(
    sensitivity: Double,
    dimension: Int,
    survivors: Int? = nil
  ) -> Double {
    let survivors = max(survivors ?? minimumSurvivors, 0)
    guard survivors > 0 else { return .infinity }
    let ratio = sensitivity / deviation(survivors: survivors)
    let excess = excess(survivors: survivors)
    let dimension = Double(dimension)
    // Order 1 is where the additive bound is worst in proportion, so it covers all orders from 1.
    return min(
      (ratio * ratio + 2 * excess * dimension).squareRoot(),
      ratio + excess * dimension.squareRoot()
    )
  }

  /// τ: how far the sum of the shares is from a discrete Gaussian.
  private func excess(survivors: Int) -> Double {
    let exponent = -2 * Double.pi * Double.pi * Double(shareVariance)
    return (1..<max(survivors, 1)).reduce(0) { sum, k in
      sum + 10 * exp(exponent * Double(k) / Double(k + 1))
    }
  }
}
