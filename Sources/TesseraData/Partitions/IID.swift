public import TesseraCore

/// Every site gets an even share of everything.
public struct IID: Partition {
  /// Makes the partition.
  public init() {}

  /// Shuffled positions, dealt out in turn.
  public func indices(labels: [Int], sites: Int, key: RandomKey) throws -> [[Int]] {
    try check(sites: sites, examples: labels.count)
    var numbers = KeyedRandomNumbers(key: key["iid"])
    let shuffled = Array(labels.indices).shuffled(using: &numbers)
    return (0..<sites).map { site in
      stride(from: site, to: shuffled.count, by: sites).map { shuffled[$0] }.sorted()
    }
  }
}

extension Partition where Self == IID {
  /// Every site gets an even share of everything.
  public static var iid: Self { Self() }
}
