internal import Foundation

/// How likely it is that an outcome betrays so much: the distribution of the privacy loss `log(P(x)/Q(x))` for `x ~ P`, on a
/// grid of losses (Sommer, Meiser & Mohammadi, 2019; Koskela, Jälkö & Honkela, 2020).
///
/// *P* and *Q* are the distributions of what is released for two neighbouring datasets. The loss of several releases is
/// the sum of theirs, so their distributions are convolved. The δ of the pair is
///
///     δ(ε) = P(loss = ∞) + Σ_{loss > ε} P(loss) · (1 - exp(ε - loss))
///
/// The distribution on the grid is pessimistic: its δ is nowhere below the true one, and equal to it at the losses of the grid
/// before anything is composed (see ``init(of:removing:interval:)``).
///
///     let once = try PrivacyLossDistribution(of: .gaussian(noiseMultiplier: 10), interval: 1e-3)
///     let all = try PrivacyLossDistribution.composing([(once, 100)])
///     let delta = try all.delta(epsilon: 1)
public struct PrivacyLossDistribution: Sendable {
  /// The distance between losses of the grid.
  public let interval: Double
  /// The smallest loss of the grid, in intervals.
  public let lowest: Int
  /// The probability of each loss of the grid, from the smallest on.
  public let probabilities: [Double]
  /// The probability of an infinite loss; what is too far up for the grid counts as that.
  public let infiniteProbability: Double

  /// The most losses that a grid has.
  public static let largestGrid = 1 << 21

  init(interval: Double, lowest: Int, probabilities: [Double], infiniteProbability: Double) {
    self.interval = interval
    self.lowest = lowest
    self.probabilities = probabilities
    self.infiniteProbability = infiniteProbability
  }

  /// Of a release that says nothing at all, or everything.
  init(certainLoss: Double, interval: Double) {
    self.init(
      interval: interval,
      lowest: 0,
      probabilities: [certainLoss == .infinity ? 0 : 1],
      infiniteProbability: certainLoss == .infinity ? 1 : 0
    )
  }

  func loss(at index: Int) -> Double { Double(lowest + index) * interval }

  /// The δ for an ε of at least 0.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public func delta(epsilon: Double) throws -> Double {
    try PrivacyBudget.check(epsilon: epsilon)
    var delta = infiniteProbability
    for index in probabilities.indices.reversed() {
      let loss = loss(at: index)
      if loss <= epsilon { break }
      delta -= probabilities[index] * expm1(epsilon - loss)
    }
    return min(delta, 1)
  }

  /// The smallest ε, at least 0, whose δ is at most this one, in `0...1`; infinity if there is none.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public func epsilon(delta: Double) throws -> Double {
    try PrivacyBudget.check(delta: delta)
    if delta == 1 { return 0 }
    if infiniteProbability > delta { return .infinity }
    // Between two losses of the grid δ(ε) = mass - exp(ε - loss)·weighted: from the top, find where it crosses.
    var mass = infiniteProbability
    var weighted = 0.0
    let decay = exp(-interval)
    for index in probabilities.indices.reversed() {
      let loss = loss(at: index)
      if loss <= 0 { break }
      mass += probabilities[index]
      weighted += probabilities[index]
      let reachesZero = loss <= interval
      if mass - (reachesZero ? exp(-loss) : decay) * weighted > delta {
        return max(0, loss + log((mass - delta) / weighted))
      }
      weighted *= decay
    }
    return 0
  }
}
