public import TesseraCore

/// How sure a difference between two systems is that were measured on the same languages and the same things: both are drawn again and
/// again, with replacement, and the difference taken anew (Efron and Tibshirani, 1993, chapter 13).
public struct PairedBootstrap: Sendable, Hashable, Codable {
  /// The difference of the means over languages: second system less first.
  public var difference: Double
  /// Where 95 % of the differences of redrawn languages and things lie.
  public var interval: ClosedRange<Double>

  /// A difference, and how sure it is; `nil` if the systems have nothing in common.
  ///
  /// - Parameters:
  ///   - first: By language, and by thing, what a system achieves.
  ///   - second: The same of the other; what only one of them has is left out.
  ///   - draws: How often languages and things are drawn.
  ///   - key: What the draws derive from.
  public init?(
    from first: [String: [Int: Double]],
    to second: [String: [Int: Double]],
    draws: Int = 2_000,
    key: RandomKey
  ) {
    var differences: [String: [Int: Double]] = [:]
    for (language, values) in first {
      guard let others = second[language] else { continue }
      let own = values.compactMap { subject, value in
        others[subject].map { (subject, $0 - value) }
      }
      if !own.isEmpty { differences[language] = Dictionary(uniqueKeysWithValues: own) }
    }
    guard let bootstrap = BootstrapInterval(of: differences, draws: draws, key: key) else {
      return nil
    }
    difference = bootstrap.mean
    interval = bootstrap.interval
  }
}
