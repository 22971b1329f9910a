internal import Foundation
public import TesseraCore

/// Sites with different mixtures of classes: each class is divided by proportions from a symmetric Dirichlet distribution
/// (Hsu, Qi and Brown, 2019).
public struct Dirichlet: Partition {
  /// The concentration, above 0.
  ///
  /// At 0.1 most sites know few classes; at 100 all are nearly alike.
  public let alpha: Double
  /// How many examples each site gets at least.
  public let minimumPerSite: Int

  /// Makes the partition.
  public init(alpha: Double, minimumPerSite: Int = 10) {
    self.alpha = alpha
    self.minimumPerSite = minimumPerSite
  }

  /// Draws proportions per class until every site has the minimum, at most 1,000 times; then the largest sites give.
  public func indices(labels: [Int], sites: Int, key: RandomKey) throws -> [[Int]] {
    try check(sites: sites, examples: labels.count, minimumPerSite: max(minimumPerSite, 1))
    guard alpha > 0, alpha.isFinite else {
      throw DataError(
        code: .invalidArgument,
        message: "alpha must be a number above 0, not \(alpha)"
      )
    }
    var byClass: [Int: [Int]] = [:]
    for (position, label) in labels.enumerated() { byClass[label, default: []].append(position) }
    let classes = byClass.keys.sorted()
    var parts: [[Int]] = []
    for attempt in 0..<1000 {
      var numbers = KeyedRandomNumbers(key: key["dirichlet"][attempt])
      parts = [[Int]](repeating: [], count: sites)
      for label in classes {
        let members = (byClass[label] ?? []).shuffled(using: &numbers)
        let shares = proportions(sites, &numbers)
        var (start, cumulative) = (0, 0.0)
        for site in 0..<sites {
          cumulative += shares[site]
          let end =
            site == sites - 1
            ? members.count
            : min(max(Int(cumulative * Double(members.count)), start), members.count)
          parts[site] += members[start..<end]
          start = end
        }
      }
      if parts.allSatisfy({ $0.count >= minimumPerSite }) { break }
    }
    fill(&parts)
    return parts.map { $0.sorted() }
  }

  /// Gives small sites examples of the largest one, for concentrations so low that chance does not reach the minimum.
  private func fill(_ parts: inout [[Int]]) {
    while let poor = parts.indices.first(where: { parts[$0].count < minimumPerSite }),
      let rich = parts.indices.max(by: { parts[$0].count < parts[$1].count }),
      parts[rich].count > minimumPerSite
    {
      parts[poor].append(parts[rich].removeLast())
    }
  }

  /// One draw from the symmetric Dirichlet distribution: gamma variates, divided by their sum.
  private func proportions(_ count: Int, _ numbers: inout KeyedRandomNumbers) -> [Double] {
    // In logarithms: for small alpha the variates themselves underflow.
    let logs = (0..<count).map { _ in logGamma(shape: alpha, &numbers) }
    let largest = logs.max() ?? 0
    let scaled = logs.map { exp($0 - largest) }
    let total = scaled.reduce(0, +)
    return scaled.map { $0 / total }
  }

  /// The logarithm of a gamma variate (Marsaglia and Tsang, 2000; shapes below 1 by their equation 6.1).
  private func logGamma(shape: Double, _ numbers: inout KeyedRandomNumbers) -> Double {
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
  private func normal(_ numbers: inout KeyedRandomNumbers) -> Double {
    let radius = (-2 * log(1 - Double.random(in: 0..<1, using: &numbers))).squareRoot()
    return radius * cos(2 * .pi * Double.random(in: 0..<1, using: &numbers))
  }
}

extension Partition where Self == Dirichlet {
  /// Each class divided by proportions from a symmetric Dirichlet distribution.
  public static func dirichlet(_ alpha: Double) -> Self { Self(alpha: alpha) }
}
