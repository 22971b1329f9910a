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

  /// Draws proportions per class until every site has the minimum, at most 100 times; then the largest sites give.
  public func indices(labels: [Int], sites: Int, key: RandomKey) throws -> [[Int]] {
    try check(sites: sites, examples: labels.count, minimumPerSite: max(minimumPerSite, 1))
    try check(alpha: alpha)
    let distribution = SymmetricDirichlet(alpha: alpha)
    var byClass: [Int: [Int]] = [:]
    for (position, label) in labels.enumerated() { byClass[label, default: []].append(position) }
    let classes = byClass.keys.sorted()
    var parts: [[Int]] = []
    for attempt in 0..<100 {
      var numbers = KeyedRandomNumbers(key: key["dirichlet"][attempt])
      parts = [[Int]](repeating: [], count: sites)
      for label in classes {
        let members = (byClass[label] ?? []).shuffled(using: &numbers)
        let ranges = distribution.ranges(over: members.count, parts: sites, &numbers)
        for (site, range) in ranges.enumerated() { parts[site] += members[range] }
      }
      if parts.allSatisfy({ $0.count >= minimumPerSite }) { break }
    }
    var numbers = KeyedRandomNumbers(key: key["fill"])
    fill(&parts, to: minimumPerSite, &numbers)
    return parts.map { $0.sorted() }
  }
}

extension Partition where Self == Dirichlet {
  /// Each class divided by proportions from a symmetric Dirichlet distribution.
  public static func dirichlet(_ alpha: Double) -> Self { Self(alpha: alpha) }
}
