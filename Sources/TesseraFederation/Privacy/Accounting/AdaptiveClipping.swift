internal import Foundation

/// A clipping bound that follows a quantile of the updates' norms, without anybody seeing the norms
/// (Andrew, Thakkar, McMahan & Ramaswamy, 2021).
///
/// Each of *m* sites clips its update to the bound *C* and also says in one bit *bᵢ* whether its norm was within it. From
/// the noised share `b̄ = ½ + (Σ (bᵢ - ½) + N(0, σ_b²)) / m` the bound moves geometrically to the quantile γ:
///
///     C ← C · exp(-η · (b̄ - γ))
///
/// The total noise *z* is split: the bits, whose sensitivity is ½, get σ_b, and the sum of the updates, whose
/// sensitivity is *C*, gets `z_Δ · C` with `z_Δ = (z⁻² - (2σ_b)⁻²)^(-1/2)`. Together they cost exactly as much as one
/// Gaussian with the multiplier *z*, which is what to tell an accountant (theorem 1 of the paper).
///
///     var clipping = try AdaptiveClipping(noiseMultiplier: 1, countDeviation: 5)
///     // In each round: clip to `clipping.bound`, add noise of `clipping.updateDeviation` to the sum of the updates,
///     // and of `clipping.countDeviation` to the sum of the centred bits.
///     try clipping.adapt(toNoisedSum: -12.5, of: 100)
public struct AdaptiveClipping: Codable, Sendable, Hashable {
  /// The L2 norm that updates are clipped to, *C*.
  public private(set) var bound: Double
  /// The share of updates that should be within the bound, γ in `0...1`.
  public let targetQuantile: Double
  /// How fast the bound moves, η above 0.
  public let learningRate: Double
  /// The noise of both parts together, *z*; 0 for none.
  public let noiseMultiplier: Double
  /// The standard deviation of the noise on the sum of the centred bits, σ_b; the paper takes *m* / 20.
  public let countDeviation: Double

  /// Makes a bound that adapts.
  ///
  /// The defaults are the paper's.
  ///
  /// - Parameters:
  ///   - bound: Where to start, above 0. Too small costs less than too large: it grows within a few rounds.
  ///   - targetQuantile: The share of updates that should be within the bound, in `0...1`.
  ///   - learningRate: How fast the bound moves, above 0.
  ///   - noiseMultiplier: The noise of both parts together, at least 0.
  ///   - countDeviation: The noise on the sum of the bits: above `noiseMultiplier / 2`, since the bits alone cost that
  ///     much; at least 0 without noise.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public init(
    bound: Double = 0.1,
    targetQuantile: Double = 0.5,
    learningRate: Double = 0.2,
    noiseMultiplier: Double,
    countDeviation: Double
  ) throws {
    func invalid(_ message: String) -> FederationError {
      FederationError(code: .invalidConfiguration, message: message)
    }
    guard bound > 0, bound.isFinite else {
      throw invalid("a clipping bound must be above 0 and finite, not \(bound)")
    }
    guard (0...1).contains(targetQuantile) else {
      throw invalid("the target quantile must be in 0...1, not \(targetQuantile)")
    }
    guard learningRate > 0, learningRate.isFinite else {
      throw invalid(
        "the learning rate of the bound must be above 0 and finite, not \(learningRate)"
      )
    }
    guard noiseMultiplier >= 0, noiseMultiplier.isFinite else {
      throw invalid("a noise multiplier must be at least 0 and finite, not \(noiseMultiplier)")
    }
    guard countDeviation >= 0, countDeviation.isFinite,
      noiseMultiplier == 0 || 2 * countDeviation > noiseMultiplier
    else {
      throw invalid(
        """
        the noise on the count must be finite and above half the noise multiplier \(noiseMultiplier), \
        not \(countDeviation)
        """
      )
    }
    self.bound = bound
    self.targetQuantile = targetQuantile
    self.learningRate = learningRate
    self.noiseMultiplier = noiseMultiplier
    self.countDeviation = countDeviation
  }

  /// Reads a bound that adapts, and checks it.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    try self.init(
      bound: container.decode(Double.self, forKey: .bound),
      targetQuantile: container.decode(Double.self, forKey: .targetQuantile),
      learningRate: container.decode(Double.self, forKey: .learningRate),
      noiseMultiplier: container.decode(Double.self, forKey: .noiseMultiplier),
      countDeviation: container.decode(Double.self, forKey: .countDeviation)
    )
  }

  private enum CodingKeys: CodingKey {
    case bound, targetQuantile, learningRate, noiseMultiplier, countDeviation
  }

  /// The multiplier of the noise on the updates, `z_Δ = (z⁻² - (2σ_b)⁻²)^(-1/2)`; a little above *z*.
  public var updateNoiseMultiplier: Double {
    guard noiseMultiplier > 0 else { return 0 }
    let ratio = noiseMultiplier / (2 * countDeviation)
    // The same, but nothing overflows: z / √(1 - (z / 2σ_b)²).
    return noiseMultiplier / ((1 - ratio) * (1 + ratio)).squareRoot()
  }

  /// The standard deviation of the noise on the sum of the clipped updates, `z_Δ · C`.
  public var updateDeviation: Double { updateNoiseMultiplier * bound }

  /// What a site adds to the sum of centred bits, *b* - ½: ½ if the norm of its update is within the bound, else -½.
  public func centredBit(ofNorm norm: Double) -> Double { norm <= bound ? 0.5 : -0.5 }

  /// Moves the bound after a round.
  ///
  /// - Parameters:
  ///   - sum: The sum of the sites' centred bits with its noise, `Σ (bᵢ - ½) + N(0, σ_b²)`.
  ///   - sites: How many sites there were to be, *m*, above 0. With Poisson sampling it is the expected number, since the
  ///     true one would betray who took part.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration`` if the sum is not finite, or the bound
  ///   would leave the range of numbers; the bound then stays.
  public mutating func adapt(toNoisedSum sum: Double, of sites: Double) throws {
    guard sites > 0, sites.isFinite, sum.isFinite else {
      throw FederationError(
        code: .invalidConfiguration,
        message: "a clipping bound cannot adapt to \(sites) sites, or to a sum that is not finite"
      )
    }
    let share = 0.5 + sum / sites
    let next = bound * exp(-learningRate * (share - targetQuantile))
    guard next.isNormal else {
      throw FederationError(
        code: .invalidConfiguration,
        message: "the clipping bound would leave the range of numbers"
      )
    }
    bound = next
  }
}
