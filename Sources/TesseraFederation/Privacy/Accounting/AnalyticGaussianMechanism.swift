internal import Foundation

/// The exact privacy of Gaussian noise (Balle & Wang, 2018).
///
/// By their theorem 8, with Φ the normal distribution function,
///
///     δ(ε) = Φ(1/(2σ) - εσ) - exp(ε)·Φ(-1/(2σ) - εσ)
///
/// *n* releases with the same noise are one release with `σ / √n`.
///
///     let mechanism = try AnalyticGaussianMechanism(epsilon: 1, delta: 1e-5)
///     mechanism.noiseMultiplier  // 3.7306
public struct AnalyticGaussianMechanism: Sendable, Hashable {
  /// The standard deviation of the noise over the L2 sensitivity, σ.
  public let noiseMultiplier: Double

  /// The mechanism with this much noise.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration`` unless it is above 0 and finite.
  public init(noiseMultiplier: Double) throws {
    try PrivacyMechanism.gaussian(noiseMultiplier: noiseMultiplier).validate()
    self.noiseMultiplier = noiseMultiplier
  }

  /// The mechanism with the least noise that is (ε, δ)-DP, to a relative 1e-12 above.
  ///
  /// - Parameters:
  ///   - epsilon: At least 0 and finite.
  ///   - delta: Above 0 and below 1.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``, also if so much noise is
  ///   needed that its δ cannot be told from 0.
  public init(epsilon: Double, delta: Double) throws {
    try PrivacyBudget.check(epsilon: epsilon)
    try PrivacyBudget.check(delta: delta)
    guard epsilon.isFinite, delta > 0, delta < 1 else {
      throw FederationError(
        code: .invalidConfiguration,
        message: """
          Gaussian noise can be calibrated for a finite epsilon and a delta between 0 and 1, not \
          \(epsilon) and \(delta)
          """
      )
    }
    var enough = 1.0
    while Self.delta(epsilon: epsilon, sigma: enough) > delta { enough *= 2 }
    var tooLittle = enough
    while tooLittle > 1e-150, Self.delta(epsilon: epsilon, sigma: tooLittle) <= delta {
      enough = tooLittle
      tooLittle /= 2
    }
    while enough - tooLittle > 1e-12 * enough {
      let middle = tooLittle + (enough - tooLittle) / 2
      if Self.delta(epsilon: epsilon, sigma: middle) > delta {
        tooLittle = middle
      } else {
        enough = middle
      }
    }
    noiseMultiplier = enough
  }

  /// The smallest δ for an ε of at least 0.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public func delta(epsilon: Double) throws -> Double {
    try PrivacyBudget.check(epsilon: epsilon)
    return Self.delta(epsilon: epsilon, sigma: noiseMultiplier)
  }

  /// The smallest ε for a δ in `0...1`, to a relative 1e-12 above; infinity for 0.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public func epsilon(delta: Double) throws -> Double {
    try PrivacyBudget.check(delta: delta)
    if delta == 0 { return .infinity }
    if Self.delta(epsilon: 0, sigma: noiseMultiplier) <= delta { return 0 }
    var enough = 1.0
    while Self.delta(epsilon: enough, sigma: noiseMultiplier) > delta { enough *= 2 }
    var tooLittle = 0.0
    while enough - tooLittle > 1e-12 * enough {
      let middle = tooLittle + (enough - tooLittle) / 2
      guard middle > tooLittle, middle < enough else { break }
      if Self.delta(epsilon: middle, sigma: noiseMultiplier) > delta {
        tooLittle = middle
      } else {
        enough = middle
      }
    }
    return enough
  }

  private static func delta(epsilon: Double, sigma: Double) -> Double {
    let half = 1 / (2 * sigma)
    let first = half - epsilon * sigma
    let second = -half - epsilon * sigma
    if epsilon == 0 { return erf(half / 2.0.squareRoot()) }
    // exp(ε)·Φ(second) through logarithms: the one overflows where the other vanishes.
    let logFirst = logNormal(first)
    let difference = epsilon + logNormal(second) - logFirst
    return difference < 0 ? -exp(logFirst) * expm1(difference) : 0
  }

  /// `log Φ(x)`.
  private static func logNormal(_ x: Double) -> Double {
    if x > -30 { return log(erfc(-x / 2.0.squareRoot()) / 2) }
    if x == -.infinity { return x }
    // Laplace's continued fraction of Mills' ratio, 1/(t + 1/(t + 2/(t + …))), which converges at once out there.
    let t = -x
    var fraction = t
    for step in (1...20).reversed() { fraction = t + Double(step) / fraction }
    return -t * t / 2 - log(fraction) - log(2 * Double.pi) / 2
  }
}
