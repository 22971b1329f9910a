public import TesseraCore

/// Sites that know few classes: the examples are sorted by class and cut into shards of one size, and each site gets a few of
/// them (McMahan et al., 2017, who give two).
public struct LabelShards: Partition {
  /// How many shards each site gets.
  public let shardsPerSite: Int

  /// Makes the partition.
  public init(shardsPerSite: Int = 2) {
    self.shardsPerSite = shardsPerSite
  }

  /// Sorted positions, cut into shards that differ in size by at most one, dealt out in a drawn order.
  public func indices(labels: [Int], sites: Int, key: RandomKey) throws -> [[Int]] {
    guard shardsPerSite >= 1 else {
      throw DataError(
        code: .invalidArgument,
        message: "each site must get at least 1 shard, not \(shardsPerSite)"
      )
    }
    try check(sites: sites, examples: labels.count, minimumPerSite: shardsPerSite)
    var numbers = KeyedRandomNumbers(key: key["shards"])
    // Shuffled first, so that which images of a class share a shard is drawn too.
    let sorted = Array(labels.indices).shuffled(using: &numbers)
      .enumerated()
      .sorted { (labels[$0.element], $0.offset) < (labels[$1.element], $1.offset) }
      .map(\.element)
    let shards = sites * shardsPerSite
    let dealt = Array(0..<shards).shuffled(using: &numbers)
    return (0..<sites).map { site in
      dealt[site * shardsPerSite..<(site + 1) * shardsPerSite].flatMap { shard in
        sorted[shard * sorted.count / shards..<(shard + 1) * sorted.count / shards]
      }
      .sorted()
    }
  }
}

extension Partition where Self == LabelShards {
  /// A few shards of examples that are sorted by class.
  public static func labelShards(_ shardsPerSite: Int) -> Self {
    Self(shardsPerSite: shardsPerSite)
  }
}
