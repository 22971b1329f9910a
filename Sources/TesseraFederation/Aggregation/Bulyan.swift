public import TesseraCore

/// Krum, then a mean around the median of each element (El Mhamdi, Guerraoui and Rouault, 2018, algorithm 1).
///
/// Of `n` updates, of which `f` may be Byzantine, `θ = n − 2f` are selected one after the other, each time the one that Krum
/// prefers among those left; then, for each element, the `β = θ − 2f` selected values closest to their median are averaged. So an
/// update that is close to the others on the whole cannot move a single element far. Of equally close values the lower one is
/// taken. Sites count the same, whatever weight they claim.
public struct Bulyan: CollectiveRule {
  /// How many sites may send anything.
  public let byzantine: Int
  /// Where updates are kept.
  public var settings = CollectiveSettings()

  /// Bulyan over Krum.
  ///
  /// - Parameter byzantine: How many sites may send anything, at least 0.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public init(byzantine: Int) throws {
    try checkByzantine(byzantine)
    self.byzantine = byzantine
  }

  /// `4f + 3`.
  public var minimumUpdates: Int { 4 * byzantine + 3 }

  /// The positions of the updates that Krum prefers.
  public func plan(for updates: CollectedUpdates) throws -> [Int] {
    let distances = try updates.squaredDistances()
    var left = Array(0..<updates.count)
    var selected: [Int] = []
    while selected.count < updates.count - 2 * byzantine {
      let scores = krumScores(of: left, distances, byzantine: byzantine)
      guard let best = scores.min(by: { ($0.score, $0.update) < ($1.score, $1.update) }) else {
        break
      }
      selected.append(best.update)
      left.removeAll { $0 == best.update }
    }
    return selected
  }

  /// The mean of each column's values closest to the median.
  public func combine(_ chunk: UpdateChunk, _ plan: [Int]) throws -> Tensor {
    guard let rows = try chunk.rows(of: plan) else { return chunk.reference }
    let sorted = try rows.sortedColumns().to(.float64)
    let count = sorted.shape[0]
    let low = try sorted.slice(at: (count - 1) / 2)
    let median = try (low + sorted.slice(at: count / 2)) / 2
    let nearest = try abs(sorted - median).argsort(along: 0)
      .slices(in: 0..<max(1, count - 2 * byzantine))
    return try sorted.gatheredElements(nearest, along: 0).mean(along: 0)
  }
}

extension AggregationRule where Self == Bulyan {
  /// Krum, then a mean around the median of each element.
  ///
  /// - Parameter byzantine: How many sites may send anything; at least four times as many and 3 must answer.
  /// - Returns: The rule.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public static func bulyan(byzantine: Int) throws -> Self { try Self(byzantine: byzantine) }
}
