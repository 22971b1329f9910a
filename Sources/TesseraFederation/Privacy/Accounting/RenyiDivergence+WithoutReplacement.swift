internal import Foundation

extension RenyiDivergence {
  /// Up to it, moments are computed; beyond it, terms take their simpler bound.
  private static let largestMoment = 256

  /// That of a Gaussian on a sample without replacement, bounded by theorem 27 of Wang, Balle & Kasiviswanathan (2019).
  ///
  /// With `f(k) = exp(k(k-1)/(2σ²))` and `B(j) = E_Q[(P/Q - 1)^j]` of the Gaussian without sampling,
  ///
  ///     exp((α-1)·D_α) ≤ 1 + C(α,2) γ² min(4(f(2) - 1), 2f(2))
  ///                        + Σ_{j=3…α} C(α,j) γ^j min(4·√(B(2⌊j/2⌋)·B(2⌈j/2⌉)), 2f(j))
  ///
  /// for whole orders; between two of them `(α-1)·D_α` is convex in α, and the chord is a bound (corollary 10). Sampling
  /// never costs privacy, so that the Gaussian's own divergence is one too.
  static func gaussianWithoutReplacement(orders: [Double], sigma: Double, rate: Double) -> [Double]
  {
    if rate == 0 { return orders.map { _ in 0 } }
    if rate == 1 { return orders.map { gaussian(order: $0, sigma: sigma) } }
    let largest = Int((orders.max() ?? 2).rounded(.up))
    let logMoments = evenMoments(upTo: min(largest + 1, largestMoment), sigma: sigma)
    var known: [Int: Double] = [1: 0]
    func logBound(_ order: Int) -> Double {
      if let bound = known[order] { return bound }
      var sum = LogSum()
      for j in 2...order {
        sum.add(
          logBinomial(order, j) + Double(j) * log(rate)
            + logTerm(j, sigma: sigma, logMoments: logMoments)
        )
      }
      known[order] = sum.logarithmPlusOne
      return sum.logarithmPlusOne
    }
    return orders.map { order in
      let below = order.rounded(.down)
      let share = order - below
      var logMoment = logBound(Int(below))
      if share > 0 { logMoment += share * (logBound(Int(below) + 1) - logMoment) }
      return min(gaussian(order: order, sigma: sigma), logMoment / (order - 1))
    }
  }

  /// The logarithm of what stands beside `C(α,j) γ^j`.
  private static func logTerm(_ j: Int, sigma: Double, logMoments: [Double]) -> Double {
    let exponent = Double(j) * Double(j - 1) / (2 * sigma) / sigma
    let simple = log(2) + exponent
    if j == 2 { return min(log(4) + logExpMinusOne(exponent), simple) }
    guard (j + 1) / 2 < logMoments.count else { return simple }
    return min(log(4) + (logMoments[j / 2] + logMoments[(j + 1) / 2]) / 2, simple)
  }

  /// `log B(2i)` at each `i ≥ 1`, with `B(j) = E_{z ~ N(0, 1)}[(exp(z/σ - 1/(2σ²)) - 1)^j]`.
  ///
  /// The paper takes them as finite differences of `f`, which lose all digits at high orders; even moments are integrals
  /// of something positive and entire, for which the trapezoid rule is exact to rounding.
  private static func evenMoments(upTo largest: Int, sigma: Double) -> [Double] {
    // With less noise, 4B(j) is above 2f(j) for all j ≥ 3, and the simple bound holds.
    guard sigma > 0.5 else { return [] }
    let shift = 1 / sigma
    let step = 0.25
    // z^j·exp(-z²/2) is largest at ±√j.
    let margin = Double(largest).squareRoot() + 12
    let first = -Int((margin / step).rounded(.up))
    let last = Int(((Double(largest) * shift + margin) / step).rounded(.up))
    let points = (first...last).map { index in
      let z = Double(index) * step
      let base = expm1(shift * z - shift * shift / 2)
      return (logBase: log(abs(base)), logWeight: -z * z / 2)
    }
    let scale = log(step / (2 * Double.pi).squareRoot())
    var moments = [0.0]
    for half in stride(from: 1, through: largest / 2, by: 1) {
      var sum = LogSum()
      for point in points { sum.add(Double(2 * half) * point.logBase + point.logWeight) }
      moments.append(sum.logarithm + scale)
    }
    return moments
  }
}
