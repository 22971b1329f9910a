/// Which refusals are worth a line: of each peer the first, the second, the fourth, the eighth, and so on, anew each hour.
///
/// Whoever is refused a million times over must not fill logs that are never cut, nor drive everything else out of those that are.
/// Nor must strangers of long ago keep somebody's first refusal from being told.
public struct RefusalTally: Sendable {
  private let largest: Int
  private var counts: [String: Int] = [:]
  private var others = 0
  private var begin: ContinuousClock.Instant?
  private static let period = Duration.seconds(3600)

  /// Nobody was refused yet.
  ///
  /// - Parameter largest: How many peers are told from each other; all others together count as one.
  public init(peers largest: Int = 1024) { self.largest = largest }

  /// Counts a refusal.
  ///
  /// - Parameters:
  ///   - peer: Who was refused.
  ///   - time: When.
  /// - Returns: How often this peer was in this hour by now, if it is worth a line.
  public mutating func note(_ peer: String, at time: ContinuousClock.Instant = .now) -> Int? {
    if let begin, time - begin < Self.period {
    } else {
      (counts, others) = ([:], 0)
      begin = time
    }
    let count: Int
    if let known = counts[peer] {
      count = known + 1
      counts[peer] = count
    } else if counts.count < largest {
      count = 1
      counts[peer] = 1
    } else {
      others += 1
      count = others
    }
    return count & (count - 1) == 0 ? count : nil
  }
}
