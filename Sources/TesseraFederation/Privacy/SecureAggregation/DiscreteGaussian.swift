/// The normal distribution on the whole numbers: `x` has a probability in proportion to `exp(−x² / 2σ²)`.
///
/// Sampled exactly, in integer arithmetic, after Canonne, Kamath and Steinke (2020), algorithms 1 to 3: floating-point
/// samplers leave gaps from which the data can be read. How long a draw takes depends on its value.
struct DiscreteGaussian: Hashable, Sendable {
  /// σ².
  let variance: UInt64
  /// The scale of the discrete Laplace distribution that draws are accepted from: `⌊σ⌋ + 1`.
  private let scale: UInt64

  /// The largest variance: with it, every product below fits in 128 bits.
  static let largestVariance: UInt64 = 1 << 48

  /// A distribution.
  ///
  /// - Parameter variance: σ², in `1...largestVariance`; other numbers are moved there.
  init(variance: UInt64) {
    let variance = min(max(variance, 1), Self.largestVariance)
    self.variance = variance
    // The root of a Double may be off by one in its last bit; the whole root is what counts.
    var root = UInt64(Double(variance).squareRoot())
    while root * root > variance { root -= 1 }
    while (root + 1) * (root + 1) <= variance { root += 1 }
    scale = root + 1
  }

  /// A draw.
  func sample(using numbers: inout some RandomNumberGenerator) -> Int64 {
    let square = UInt128(scale) * UInt128(scale)
    let denominator = 2 * UInt128(variance) * square
    while true {
      let candidate = laplace(using: &numbers)
      // Beyond 512 scales a draw is accepted with a probability below 2^-180000, and products would not fit.
      guard candidate.magnitude <= scale << 9 else { continue }
      let product = UInt128(candidate.magnitude) * UInt128(scale)
      let distance =
        product > UInt128(variance) ? product - UInt128(variance) : UInt128(variance) - product
      if Self.isBelowExponential(distance * distance, denominator, using: &numbers) {
        return candidate
      }
    }
  }

  /// A draw with a probability in proportion to `exp(−|x| / scale)` (algorithm 2).
  private func laplace(using numbers: inout some RandomNumberGenerator) -> Int64 {
    while true {
      let remainder = UInt64.random(in: 0..<scale, using: &numbers)
      guard Self.isBelowExponential(UInt128(remainder), UInt128(scale), using: &numbers) else {
        continue
      }
      var wholes: UInt64 = 0
      // A thousand in a row happen with a probability below 2^-1400; sums would not fit far beyond.
      while wholes < 1000, Self.isBelowExponential(1, 1, using: &numbers) { wholes += 1 }
      let magnitude = Int64(remainder + scale * wholes)
      let isNegative = Bool.random(using: &numbers)
      if isNegative && magnitude == 0 { continue }
      return isNegative ? -magnitude : magnitude
    }
  }

  /// True with the probability `exp(−numerator / denominator)` (algorithm 1).
  private static func isBelowExponential(
    _ numerator: UInt128,
    _ denominator: UInt128,
    using numbers: inout some RandomNumberGenerator
  ) -> Bool {
    var (wholes, rest) = numerator.quotientAndRemainder(dividingBy: denominator)
    while wholes > 0 {
      guard isBelowExponentialOfFraction(1, 1, using: &numbers) else { return false }
      wholes -= 1
    }
    return isBelowExponentialOfFraction(rest, denominator, using: &numbers)
  }

  private static func isBelowExponentialOfFraction(
    _ numerator: UInt128,
    _ denominator: UInt128,
    using numbers: inout some RandomNumberGenerator
  ) -> Bool {
    // Trial k succeeds with γ / k: with γ and, independently, one time in k. That keeps the numbers small.
    var trial: UInt64 = 1
    while (trial == 1 || UInt64.random(in: 0..<trial, using: &numbers) == 0)
      && happens(numerator, denominator, using: &numbers)
    {
      trial += 1
    }
    return !trial.isMultiple(of: 2)
  }

  /// True with the probability `numerator / denominator`.
  private static func happens(
    _ numerator: UInt128,
    _ denominator: UInt128,
    using numbers: inout some RandomNumberGenerator
  ) -> Bool {
    if numerator == denominator { return true }
    if numerator == 0 { return false }
    if let small = UInt64(exactly: denominator) {
      return UInt64.random(in: 0..<small, using: &numbers) < UInt64(numerator)
    }
    return UInt128.random(in: 0..<denominator, using: &numbers) < numerator
  }
}
