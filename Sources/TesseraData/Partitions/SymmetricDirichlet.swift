internal import Foundation
internal import TesseraCore

/// Draws of proportions that are all alike in distribution and sum to 1.
struct SymmetricDirichlet {
  /// The concentration, above 0.
  let alpha: Double

  /// One draw: gamma variates, divided by their sum.
  func proportions(_ count: Int, _ numbers: inout KeyedRandomNumbers) -> [Double] {
    // In logarithms: for small alpha the variates themselves underflow.
    let logs = (0..<count).map { _ in Self.logGamma(shape: alpha, &numbers) }
    let largest = logs.max() ?? 0
    guard largest > -.infinity else {
      // An alpha so small that all logarithms overflow is its own limit: one part gets everything.
      let chosen = Int.random(in: 0..<count, using: &numbers)
      return (0..<count).map { $0 == chosen ? 1 : 0 }
    }
    let scaled = logs.map { exp($0 - largest) }
    let total = scaled.reduce(0, +)
    return scaled.map { $0 / total }
  }

  /// Where to cut `total` things into parts of such proportions: one range for each, in order.
  func ranges(
    over total: Int,
    parts: Int,
    _ numbers: inout KeyedRandomNumbers
  ) -> [Range<Int>] {
    let shares = proportions(parts, &numbers)
    var (start, cumulative) = (0, 0.0)
    return (0..<parts).map { part in
      cumulative += shares[part]
      let end =
        part == parts - 1 ? total : min(max(Int(cumulative * Double(total)), start), total)
      defer { start = end }
      return start..<end
    }
  }

  /// The logarithm of a gamma variate (Marsaglia and Tsang, 2000; shapes below 1 by their equation 6.1).
  private static func logGamma(shape: Double, _ numbers: inout KeyedRandomNumbers) -> Double {
    guard shape >= 1 else {
      let uniform = Double.random(in: 0..<1, using: &numbers)
      return logGamma(shape: shape + 1, &numbers) + log(1 - uniform) / shape
    }
    let d = shape - 1 / 3.0
    let c = 1 / (9 * d).squareRoot()
    while true {
      let x = normal(&numbers)
      let v = pow(1 + c * x, 3)
      guard v > 0 else { continue }
      let uniform = 1 - Double.random(in: 0..<1, using: &numbers)
      if log(uniform) < x * x / 2 + d - d * v + d * log(v) { return log(d * v) }
    }
  }

  /// A normal variate (Box and Muller, 1958).
  private static func normal(_ numbers: inout KeyedRandomNumbers) -> Double {
    let radius = (-2 * log(1 - Double.random(in: 0..<1, using: &numbers))).squareRoot()
    return radius * cos(2 * .pi * Double.random(in: 0..<1, using: &numbers))
  }
}
