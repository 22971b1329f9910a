internal import Foundation

extension PrivacyLossDistribution {
  /// The most probability that composition cuts off; it counts as an infinite loss.
  static let truncation = 1e-15

  /// The distribution of the sum of independent losses: each distribution so many times.
  ///
  /// The characteristic functions are raised to their counts and multiplied, on a circle of losses as long as the part of the
  /// sum that Chernoff's bound cannot neglect, `P(loss > t) ≤ exp(-λt)·E[exp(λ·loss)]` (Koskela et al., 2020). The upper
  /// tail, at most 1e-15, counts as an infinite loss; the lower one reappears as a larger loss. Powers round in proportion
  /// to their exponent, so that for each use another 2^-52 counts as an infinite loss: a δ should be well above
  /// 2e-16 times the number of uses.
  ///
  /// - Parameter parts: All with the same interval; counts of at least 0.
  /// - Returns: A distribution with that interval.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``, also if the sum would need more than
  ///   ``largestGrid`` losses: a larger interval helps.
  public static func composing(
    _ parts: [(distribution: PrivacyLossDistribution, count: Int)]
  ) throws -> PrivacyLossDistribution {
    guard let interval = parts.first?.distribution.interval,
      parts.allSatisfy({ $0.distribution.interval == interval && $0.count >= 0 })
    else {
      throw FederationError(
        code: .invalidConfiguration,
        message: "only distributions with one interval and counts of at least 0 can be composed"
      )
    }
    switch composition(of: parts, interval: interval) {
    case .distribution(let distribution): return distribution
    case .tooLarge(let size):
      throw FederationError(
        code: .invalidConfiguration,
        message: """
          the composition needs \(size) losses at intervals of \(interval), more than the \
          \(largestGrid) of a grid
          """
      )
    }
  }

  /// What composition came to.
  enum Composition {
    case distribution(PrivacyLossDistribution)
    /// It would need so many losses.
    case tooLarge(size: Double)
  }

  /// The composition, of parts that have this interval.
  static func composition(
    of parts: [(distribution: PrivacyLossDistribution, count: Int)],
    interval: Double
  ) -> Composition {
    let terms = parts.filter { $0.count > 0 }.map { Term($0.distribution, count: $0.count) }
    guard let first = terms.first else {
      return .distribution(Self(certainLoss: 0, interval: interval))
    }
    if terms.count == 1, first.count == 1 { return .distribution(first.distribution) }
    guard terms.allSatisfy({ $0.distribution.infiniteProbability < 1 }) else {
      return .distribution(Self(certainLoss: .infinity, interval: interval))
    }
    let window = Window(of: terms)
    guard window.size <= Double(largestGrid) else { return .tooLarge(size: window.size) }
    // So many uses that the bounds are but rounding.
    guard window.size >= 1, uses(of: terms) * .ulpOfOne < 1 else {
      return .distribution(Self(certainLoss: .infinity, interval: interval))
    }
    return .distribution(convolve(terms, within: window, interval: interval))
  }

  private static func uses(of terms: [Term]) -> Double {
    terms.reduce(0) { $0 + Double($1.count) }
  }

  private static func convolve(
    _ terms: [Term],
    within window: Window,
    interval: Double
  ) -> PrivacyLossDistribution {
    // Beyond 2^52 whole numbers are not all `Double`s.
    guard abs(window.lower) < 0x1p52 else {
      return Self(certainLoss: .infinity, interval: interval)
    }
    let lower = Int(window.lower)
    let size = Int(window.size)
    let transform = FourierTransform(minimumCount: size)
    let count = transform.count
    let half = count / 2
    var real = Array(repeating: 1.0, count: count)
    var imaginary = Array(repeating: 0.0, count: count)
    for term in terms {
      var (a, b) = term.folded(onto: count)
      transform.transform(&a, &b)
      for index in 0...half {
        let factor = Complex(a[index], b[index]).power(term.count)
        let product = Complex(real[index], imaginary[index]) * factor
        real[index] = product.real
        imaginary[index] = product.imaginary
      }
    }
    // What was real before the transform is mirrored after it.
    for index in half + 1..<count {
      real[index] = real[count - index]
      imaginary[index] = -imaginary[count - index]
    }
    transform.inverse(&real, &imaginary)
    let finite = terms.reduce(0.0) { sum, term in
      sum + Double(term.count) * log1p(-term.distribution.infiniteProbability)
    }
    var origin = 0
    for term in terms {
      let (product, tooMany) = term.center.multipliedReportingOverflow(by: term.count)
      let (sum, tooLarge) = origin.addingReportingOverflow(product)
      guard !tooMany, !tooLarge, abs(sum) < 1 << 52 else {
        return Self(certainLoss: .infinity, interval: interval)
      }
      origin = sum
    }
    return Self(
      interval: interval,
      lowest: origin + lower,
      probabilities: (0..<size).map { offset in
        let position = (lower + offset) % count
        return max(0, real[position < 0 ? position + count : position])
      },
      infiniteProbability: min(1, -expm1(finite) + truncation + uses(of: terms) * .ulpOfOne)
    )
  }
}

/// A distribution and how often it is used, with its losses counted from near their mean: powers of its characteristic
/// function then turn little, and keep their digits.
private struct Term {
  let distribution: PrivacyLossDistribution
  let count: Int
  /// The loss, in intervals, that others are counted from.
  let center: Int
  /// The variance of the loss, in intervals.
  let variance: Double
  private let mass: Double

  init(_ distribution: PrivacyLossDistribution, count: Int) {
    self.distribution = distribution
    self.count = count
    var mass = 0.0
    var first = 0.0
    for (index, probability) in distribution.probabilities.enumerated() {
      mass += probability
      first += probability * Double(index)
    }
    let mean = mass > 0 ? first / mass : 0
    var second = 0.0
    for (index, probability) in distribution.probabilities.enumerated() {
      let distance = Double(index) - mean
      second += probability * distance * distance
    }
    center = distribution.lowest + Int(mean.rounded())
    variance = mass > 0 ? second / mass : 0
    self.mass = mass
  }

  /// The range of losses from the center.
  var lowest: Double { Double(distribution.lowest - center) }
  var highest: Double { lowest + Double(distribution.probabilities.count - 1) }

  /// `log E[exp(λ·loss)]`, the loss in intervals from the center.
  func logMoment(_ lambda: Double) -> Double {
    // Horner's rule from the end where the exponential is small.
    let factor = exp(-abs(lambda))
    var sum = 0.0
    if lambda > 0 {
      for probability in distribution.probabilities { sum = sum * factor + probability }
      return lambda * highest + log(sum)
    }
    for probability in distribution.probabilities.reversed() { sum = sum * factor + probability }
    return lambda * lowest + log(sum)
  }

  /// The probabilities on a circle of so many losses, the center at 0.
  func folded(onto count: Int) -> ([Double], [Double]) {
    var real = Array(repeating: 0.0, count: count)
    let offset = distribution.lowest - center
    for (index, probability) in distribution.probabilities.enumerated() {
      let position = (offset + index) % count
      real[position < 0 ? position + count : position] += probability
    }
    return (real, Array(repeating: 0, count: count))
  }
}

/// The losses, in intervals from the sum of all centers, outside which a sum of losses lies with a probability of at most
/// ``PrivacyLossDistribution/truncation``.
private struct Window {
  private(set) var lower = 0.0
  private(set) var upper = 0.0

  var size: Double { upper - lower + 1 }

  init(of terms: [Term]) {
    var variance = 0.0
    for term in terms {
      lower += Double(term.count) * term.lowest
      upper += Double(term.count) * term.highest
      variance += Double(term.count) * term.variance
    }
    guard variance > 0 else { return }
    let wanted = log(2 / PrivacyLossDistribution.truncation)
    // The best λ for a normal distribution; others have heavier tails, and a smaller one.
    let guess = (2 * wanted / variance).squareRoot()
    for factor in [0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 1, 1.15] {
      let lambda = guess * factor
      let above = terms.reduce(wanted) { $0 + Double($1.count) * $1.logMoment(lambda) }
      let below = terms.reduce(wanted) { $0 + Double($1.count) * $1.logMoment(-lambda) }
      shrink(to: -(below / lambda), above / lambda)
    }
  }

  private mutating func shrink(to lower: Double, _ upper: Double) {
    self.upper = min(self.upper, upper.rounded(.up))
    self.lower = max(self.lower, lower.rounded(.down))
  }
}

private struct Complex {
  var real: Double
  var imaginary: Double

  init(_ real: Double, _ imaginary: Double) {
    self.real = real
    self.imaginary = imaginary
  }

  static func * (a: Complex, b: Complex) -> Complex {
    Complex(
      a.real * b.real - a.imaginary * b.imaginary,
      a.real * b.imaginary + a.imaginary * b.real
    )
  }

  /// By squaring.
  func power(_ exponent: Int) -> Complex {
    var result = Complex(1, 0)
    var square = self
    var remaining = exponent
    while remaining > 0 {
      if remaining & 1 == 1 { result = result * square }
      remaining >>= 1
      if remaining > 0 { square = square * square }
    }
    return result
  }
}
