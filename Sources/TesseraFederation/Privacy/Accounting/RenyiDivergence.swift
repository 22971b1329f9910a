internal import Foundation

/// The Rényi divergences of one use of a mechanism.
enum RenyiDivergence {
  /// `D_α` for each order α.
  static func of(_ mechanism: PrivacyMechanism, orders: [Double]) -> [Double] {
    switch mechanism {
    case .gaussian(let sigma):
      orders.map { gaussian(order: $0, sigma: sigma) }
    case .laplace(let scale):
      orders.map { laplace(order: $0, epsilon: 1 / scale) }
    case .pure(let epsilon):
      orders.map { pure(order: $0, epsilon: epsilon) }
    case .concentrated(let rho):
      orders.map { rho * $0 }
    case .subsampledGaussian(let sigma, let rate):
      orders.map { subsampledGaussian(order: $0, sigma: sigma, rate: rate) }
    case .gaussianWithoutReplacement(let sigma, let rate):
      gaussianWithoutReplacement(orders: orders, sigma: sigma, rate: rate)
    }
  }

  /// `α / (2 σ²)` (Mironov, 2017, corollary 3).
  static func gaussian(order: Double, sigma: Double) -> Double { order / (2 * sigma) / sigma }

  /// With ε the ratio of sensitivity and scale,
  /// `log(α/(2α-1) · exp((α-1)·ε) + (α-1)/(2α-1) · exp(-α·ε)) / (α-1)` (Mironov, 2017, proposition 6).
  ///
  /// Taken as ε plus a logarithm near 0, so that nothing overflows.
  static func laplace(order: Double, epsilon: Double) -> Double {
    let share = (order - 1) / (2 * order - 1)
    return epsilon + log1p(share * expm1((1 - 2 * order) * epsilon)) / (order - 1)
  }

  /// That of the worst of all ε-DP mechanisms, randomised response:
  /// `log(cosh((2α-1)·ε/2) / cosh(ε/2)) / (α-1)` (Mironov, 2017, proposition 5; Kairouz, Oh & Viswanath, 2015).
  static func pure(order: Double, epsilon: Double) -> Double {
    if epsilon * order > 1 {
      let long = (2 * order - 1) * epsilon
      return epsilon + (log1p(exp(-long)) - log1p(exp(-epsilon))) / (order - 1)
    }
    // cosh a = cosh b + 2 sinh((a+b)/2) sinh((a-b)/2) keeps the digits of a small ε.
    let excess = 2 * sinh(order * epsilon / 2) * sinh((order - 1) * epsilon / 2) / cosh(epsilon / 2)
    return log1p(excess) / (order - 1)
  }

  /// That of a Poisson-subsampled Gaussian, `log(A_α) / (α-1)` with
  /// `A_α = E_{x ~ N(0, σ²)}[(1 - q + q·exp((2x-1)/(2σ²)))^α]` (Mironov, Talwar & Zhang, 2019, sections 3.1 and 3.2).
  static func subsampledGaussian(order: Double, sigma: Double, rate: Double) -> Double {
    if rate == 0 { return 0 }
    let whole = gaussian(order: order, sigma: sigma)
    // Sampling never costs privacy; with so little noise it gives none to speak of, and the integral takes long.
    if rate == 1 || sigma < 0.02 { return whole }
    let logMoment =
      order == order.rounded()
      ? integerMoment(order: Int(order), sigma: sigma, rate: rate)
      : fractionalMoment(order: order, sigma: sigma, rate: rate)
    return min(whole, logMoment / (order - 1))
  }

  /// `log A_α` for a whole α, by the binomial sum of section 3.3, where the terms of `Σ C(α,k) (1-q)^(α-k) q^k = 1` are
  /// taken out of it so that small divergences keep their digits:
  /// `A_α - 1 = Σ_{k≥2} C(α,k) (1-q)^(α-k) q^k (exp((k²-k)/(2σ²)) - 1)`.
  private static func integerMoment(order: Int, sigma: Double, rate: Double) -> Double {
    var sum = LogSum()
    let logRate = log(rate)
    let logRest = log1p(-rate)
    for k in 2...order {
      let exponent = Double(k) * Double(k - 1) / (2 * sigma) / sigma
      sum.add(
        logBinomial(order, k) + Double(k) * logRate + Double(order - k) * logRest
          + logExpMinusOne(exponent)
      )
    }
    return sum.logarithmPlusOne
  }

  /// `log A_α` for any α, by the trapezoid rule, in units of σ.
  ///
  /// `E[exp((2x-1)/(2σ²))] = 1`, so with `u` for that exponential less one, `A_α - 1` is the mean of the convex
  /// `(1+qu)^α - 1 - αqu ≥ 0`: a sum without cancellation. The rule's error falls as `exp(-2πd/h)` for an integrand that
  /// is analytic within a distance *d* of the real line (Trefethen & Weideman, 2014), here about πσ over the
  /// unit σ, and steps *h* are chosen for 1e-16.
  private static func fractionalMoment(order: Double, sigma: Double, rate: Double) -> Double {
    let shift = 1 / sigma
    let step = min(0.25, 0.5 / shift)
    let first = -Int((12 / step).rounded(.up))
    let last = Int(((order * shift + 12) / step).rounded(.up))
    var sum = LogSum()
    for index in first...last {
      let z = Double(index) * step
      let exponent = shift * z - shift * shift / 2
      sum.add(logConvexPart(order: order, rate: rate, exponent: exponent) - z * z / 2)
    }
    let logMean = sum.logarithm + log(step / (2 * Double.pi).squareRoot())
    return logMean > 0 ? logMean + log1p(exp(-logMean)) : log1p(exp(logMean))
  }

  /// `log((1+t)^α - 1 - αt)` for `t = q·(exp(e) - 1)`.
  private static func logConvexPart(order: Double, rate: Double, exponent: Double) -> Double {
    if exponent > 600 { return order * (exponent + log(rate)) }
    let t = rate * expm1(exponent)
    guard abs(order * t) > 1e-3 else {
      // The first terms of the binomial series; the next is below 1e-15 of them.
      let third = (order - 2) / 3 * t
      let fourth = third * (order - 3) / 4 * t
      let fifth = fourth * (order - 4) / 5 * t
      let sixth = fifth * (order - 5) / 6 * t
      return log(order * (order - 1) / 2 * t * t * (1 + third + fourth + fifth + sixth))
    }
    let power = order * log1p(t)
    return power > 600 ? power : log(expm1(power) - order * t)
  }
}
