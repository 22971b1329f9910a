internal import Foundation

/// A sketch of a distribution from which quantiles are read: groups of neighbouring values, each as its mean and its size, small
/// at both ends and large in the middle (Dunning and Ertl, "Computing extremely accurate quantiles using t-digests", 2019; the
/// merging form, with their scale function *k₁*).
///
/// At the quantile *q* a group holds at most the share 2π·√(q·(1 − q))/δ of all values, or ``smallestGroup`` of them if that is
/// more, and a quantile read from it is off by no more than that in rank, one group more for each time that digests are merged.
public struct TDigest: Sendable, Hashable {
  /// A group of neighbouring values.
  public struct Centroid: Sendable, Hashable {
    /// Their mean.
    public var mean: Double
    /// How many they are.
    public var weight: Double
  }

  /// The groups, by their means.
  public let centroids: [Centroid]
  /// δ: about how many groups there are.
  public let compression: Double

  /// The digest of some values.
  ///
  /// - Parameters:
  ///   - values: Finite numbers in any order.
  ///   - compression: δ, about how many groups there are; at least 10.
  ///   - smallestGroup: How many values a group holds at least, so that none shows itself.
  public init(of values: [Double], compression: Double = 200, smallestGroup: Int = 1) {
    let sorted = values.sorted().map { Centroid(mean: $0, weight: 1) }
    self.init(sorted: sorted, compression: compression, smallestGroup: Double(smallestGroup))
  }

  /// One digest of several.
  public init(merging digests: [TDigest], compression: Double = 200) {
    let all = digests.flatMap(\.centroids).sorted { ($0.mean, $0.weight) < ($1.mean, $1.weight) }
    self.init(sorted: all, compression: compression, smallestGroup: 1)
  }

  /// A digest of groups that are known.
  public init(centroids: [Centroid], compression: Double = 200) {
    self.centroids = centroids.sorted { ($0.mean, $0.weight) < ($1.mean, $1.weight) }
    self.compression = compression
  }

  private init(sorted: [Centroid], compression: Double, smallestGroup: Double) {
    let compression = max(10, compression)
    let total = sorted.reduce(0) { $0 + $1.weight }
    /// The share of values up to which a group reaches that begins after the share `q`.
    func limit(after q: Double) -> Double {
      let k = compression / (2 * .pi) * asin(min(max(2 * q - 1, -1), 1)) + 1
      return k >= compression / 4 ? 1 : (sin(k * 2 * .pi / compression) + 1) / 2
    }
    var groups: [Centroid] = []
    var before = 0.0
    var reach = limit(after: 0)
    for next in sorted {
      if var last = groups.last,
        (before + last.weight + next.weight) / total <= reach || last.weight < smallestGroup
      {
        last.weight += next.weight
        last.mean += (next.mean - last.mean) * next.weight / last.weight
        groups[groups.count - 1] = last
      } else {
        before += groups.last?.weight ?? 0
        reach = limit(after: before / total)
        groups.append(next)
      }
    }
    if groups.count > 1, let last = groups.last, last.weight < smallestGroup {
      groups.removeLast()
      var previous = groups[groups.count - 1]
      previous.weight += last.weight
      previous.mean += (last.mean - previous.mean) * last.weight / previous.weight
      groups[groups.count - 1] = previous
    }
    centroids = groups
    self.compression = compression
  }

  /// How many values it stands for.
  public var count: Double { centroids.reduce(0) { $0 + $1.weight } }

  /// How many values the larger of the two groups beside a value holds.
  func largestGroup(around value: Double) -> Double {
    let above = centroids.firstIndex { $0.mean > value } ?? centroids.count
    return centroids[max(0, above - 1)..<min(centroids.count, above + 1)].map(\.weight).max() ?? 0
  }

  /// The value below which the share `q` of all values lies; `nil` if there are none.
  ///
  /// Between the means of two groups it is interpolated; outside, it is the outermost mean. Of groups of one value each it is
  /// the quantile by linear interpolation, as NumPy's.
  public func quantile(_ q: Double) -> Double? {
    guard let first = centroids.first, let last = centroids.last else { return nil }
    let target = min(max(q, 0), 1) * (count - 1) + 0.5
    var before = 0.0
    var previous: (mean: Double, center: Double)?
    for centroid in centroids {
      let center = before + centroid.weight / 2
      if target <= center {
        guard let previous else { return first.mean }
        let share = (target - previous.center) / (center - previous.center)
        return previous.mean + (centroid.mean - previous.mean) * share
      }
      previous = (centroid.mean, center)
      before += centroid.weight
    }
    return last.mean
  }
}
