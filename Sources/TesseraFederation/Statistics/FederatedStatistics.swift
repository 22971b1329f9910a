/// What is known of the data of all sites together, and of each.
public struct FederatedStatistics: Sendable, Hashable, Codable {
  /// What is known of one feature.
  public struct Feature: Sendable, Hashable, Codable {
    /// How many values there are.
    public var count: Int
    /// How many are missing.
    public var missing: Int
    /// The sum of the values.
    public var sum: Double
    /// Their mean.
    public var mean: Double
    /// The sum of the squared distances from the mean, over one less than the count; `nil` of a single value.
    public var variance: Double?
    /// Below the smallest value, by as much noise as the sites put there.
    public var low: Double?
    /// Above the largest value, by as much noise as the sites put there.
    public var high: Double?
    /// How many values lie where; counts that a site's rules keep back are missing in it.
    public var histogram: StatisticsHistogram?
    /// The values at the asked quantiles, in their order; of all sites together alone.
    public var quantiles: [Quantile]

    /// The square root of the variance.
    public var deviation: Double? { variance?.squareRoot() }
  }

  /// A value and the share of all values below it.
  public struct Quantile: Sendable, Hashable, Codable {
    /// The share of all values below, in `0...1`.
    public var share: Double
    /// The value.
    public var value: Double
    /// By how much the true share may differ: a quantile is read from groups of values.
    public var shareError: Double
  }

  /// Of all sites together, by group and feature.
  public var global: [String: [String: Feature]]
  /// Of each site, by its name, group and feature.
  public var sites: [String: [String: [String: Feature]]]
  /// Why sites are in none of it, by name.
  public var missing: [String: String]
  /// What sites kept back, by name.
  public var leftOut: [String: [String]]

  /// Where the workflow keeps it among ``WorkflowState/documents``.
  public static let document = "statistics"
}

/// How many values lie in each of some bins of one width.
public struct StatisticsHistogram: Sendable, Hashable, Codable {
  /// Where the first bin begins; it holds this value.
  public var low: Double
  /// Where the last bin ends; it holds this value too.
  public var high: Double
  /// How many values lie in each bin.
  public var counts: [Int]
  /// How many lie below the first.
  public var below: Int
  /// How many lie above the last.
  public var above: Int

  /// The ends of all bins, one more than there are bins.
  public var edges: [Double] {
    let width = (high - low) / Double(max(counts.count, 1))
    return (0...counts.count).map { $0 == counts.count ? high : low + width * Double($0) }
  }

  /// Counts below, in each bin, and above.
  ///
  /// A value on the edge of two bins belongs to the upper one, but for the last edge of all.
  static func counts(of values: [Double], bins: Int, from low: Double, to high: Double) -> [Int] {
    var counts = [Int](repeating: 0, count: bins + 2)
    let width = (high - low) / Double(bins)
    for value in values {
      guard value >= low, value <= high else {
        counts[value < low ? 0 : bins + 1] += 1
        continue
      }
      var bin = min(bins - 1, max(0, Int((value - low) / width)))
      // The quotient may be rounded over an edge.
      if bin > 0, value < low + width * Double(bin) { bin -= 1 }
      if bin < bins - 1, value >= low + width * Double(bin + 1) { bin += 1 }
      counts[bin + 1] += 1
    }
    return counts
  }

  /// Adds another's counts, of the same bins.
  mutating func add(_ other: StatisticsHistogram) {
    for (place, count) in other.counts.enumerated() where counts.indices.contains(place) {
      counts[place] += count
    }
    below += other.below
    above += other.above
  }
}
