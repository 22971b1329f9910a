public import TesseraCore

/// Sites with different amounts of data and the same mixture of classes: the sizes are proportions from a symmetric Dirichlet
/// distribution (Li, Diao, Chen and He, 2022: quantity skew).
public struct Quantity: Partition {
  /// The concentration, above 0.
  ///
  /// At 0.5 a few sites have most of the data; at 100 all have nearly as much.
  public let alpha: Double
  /// How many examples each site gets at least.
  public let minimumPerSite: Int

  /// Makes the partition.
  public init(alpha: Double, minimumPerSite: Int = 10) {
    self.alpha = alpha
    self.minimumPerSite = minimumPerSite
  }

  /// Shuffled positions, cut into parts of drawn sizes; the largest give to those below the minimum.
  public func indices(labels: [Int], sites: Int, key: RandomKey) throws -> [[Int]] {
    try check(sites: sites, examples: labels.count, minimumPerSite: max(minimumPerSite, 1))
    try check(alpha: alpha)
    var numbers = KeyedRandomNumbers(key: key["quantity"])
    let shuffled = Array(labels.indices).shuffled(using: &numbers)
    var parts = SymmetricDirichlet(alpha: alpha)
      .ranges(over: shuffled.count, parts: sites, &numbers)
      .map { Array(shuffled[$0]) }
    fill(&parts, to: minimumPerSite, &numbers)
    return parts.map { $0.sorted() }
  }
}

extension Partition where Self == Quantity {
  /// The same mixture of classes everywhere, in amounts from a symmetric Dirichlet distribution.
  public static func quantity(_ alpha: Double) -> Self { Self(alpha: alpha) }
}
