internal import TesseraCore

/// What a site refuses to show of its data, whatever it is asked: rules of its own against finding single people in statistics.
///
/// They make it hard, not impossible. Statistics of several overlapping groups, or of the same data before and after a row was
/// added, can still be subtracted from one another; where that matters, noise of a known budget has to be added to what is
/// shown (``Filter``).
public struct StatisticsRules: Sendable, Hashable, Codable {
  /// Of fewer values than this nothing at all is shown, nor is the name of a group with fewer rows, or of a column with fewer
  /// values that nobody has asked for by name: a name can say more than a count.
  public var minimumCount: Int
  /// Whether the smallest of the other groups stays behind too where the rows of all groups that are kept back are fewer than
  /// ``minimumCount``: their number would follow from that of all rows, which others know.
  public var hidesComplements: Bool
  /// How many bins a histogram may have, as a share of the number of values.
  public var maximumBinShare: Double
  /// A bin with fewer values than this is shown as empty.
  ///
  /// If that happens to but one bin, or to several with fewer values than this together, the smallest of the others is emptied
  /// too, so that no count below this follows from the total.
  public var smallestBin: Int
  /// How far the range that is shown reaches beyond the smallest and the largest value, at each end, as a share of the true
  /// range; drawn anew for each column.
  public var rangeNoise: ClosedRange<Double>
  /// How many neighbouring values are shown as their mean at least where quantiles are asked for.
  public var smallestGroup: Int

  /// Rules; the defaults are those usual among clinics.
  public init(
    minimumCount: Int = 10,
    maximumBinShare: Double = 0.1,
    smallestBin: Int = 5,
    rangeNoise: ClosedRange<Double> = 0.1...0.3,
    smallestGroup: Int = 5,
    hidesComplements: Bool = true
  ) {
    self.hidesComplements = hidesComplements
    self.minimumCount = minimumCount
    self.maximumBinShare = maximumBinShare
    self.smallestBin = smallestBin
    self.rangeNoise = rangeNoise
    self.smallestGroup = smallestGroup
  }

  /// How many bins a histogram of so many values may have.
  func largestBinCount(for count: Int) -> Int {
    let bins = (Double(count) * maximumBinShare).rounded(.down)
    return bins < 1 || !bins.isFinite ? 0 : Int(min(bins, 1e6))
  }

  /// The groups whose names may be shown, by how many rows each has.
  func shown(groups rows: [String: Int]) -> Set<String> {
    var shown = rows.filter { $0.value >= max(1, minimumCount) }
    let hidden = rows.values.reduce(0, +) - shown.values.reduce(0, +)
    if hidesComplements, hidden > 0, hidden < minimumCount,
      let smallest = shown.min(by: { ($0.value, $0.key) < ($1.value, $1.key) })
    {
      shown[smallest.key] = nil
    }
    return Set(shown.keys)
  }

  /// Counts as they may be shown.
  func shown(_ counts: [Int]) -> [Int] {
    var counts = counts
    var emptied = 0
    var hidden = 0
    for place in counts.indices where counts[place] > 0 && counts[place] < smallestBin {
      hidden += counts[place]
      counts[place] = 0
      emptied += 1
    }
    if emptied == 1 || (emptied > 0 && hidden < smallestBin),
      let place = counts.indices.filter({ counts[$0] > 0 }).min(by: { counts[$0] < counts[$1] })
    {
      counts[place] = 0
    }
    return counts
  }

  /// The range of values as it may be shown.
  func shown(low: Double, high: Double, key: RandomKey) -> (low: Double, high: Double) {
    var numbers = KeyedRandomNumbers(key: key)
    let spread = high - low
    // Settings may come from a file; noise never draws the ends inwards.
    let least = min(max(0, rangeNoise.lowerBound), 1e6)
    let noise = least...min(max(least, rangeNoise.upperBound), 1e6)
    return (
      low - spread * Double.random(in: noise, using: &numbers),
      high + spread * Double.random(in: noise, using: &numbers)
    )
  }
}

/// Where the noise comes from that hides the ends of a range.
public enum StatisticsNoise: Sendable, Hashable {
  /// From the task's key: a run can be repeated to the bit, but the coordinator, who has made the key, can take the noise off
  /// again.
  ///
  /// For simulations.
  case reproducible
  /// From a number that only the site knows.
  ///
  /// The same data get the same noise each time, so that asking again tells nothing new.
  case secret(UInt64)

  /// Noise from a number that the system has drawn now, for a site to keep: its generator, as whoever can guess the number can
  /// take the noise off.
  public static func newSecret() -> StatisticsNoise {
    var system = SystemRandomNumberGenerator()
    return .secret(system.next())
  }

  /// The key for a column.
  func key(of feature: String, in group: String, task: SiteTask) -> RandomKey {
    let base =
      switch self {
      case .reproducible: task.key
      case .secret(let secret): RandomKey(seed: secret)
      }
    return base["range"][group][feature]
  }
}
