public import TesseraCore

/// The mean of the updates that lie closest to their neighbours (Blanchard, El Mhamdi, Guerraoui and Stainer, 2017).
///
/// An update's score is the sum of its squared distances to the `n − f − 2` updates nearest to it, for `n` updates of which `f` may
/// be Byzantine. Krum is the update of the lowest score, multi-Krum the mean of the lowest ones. Of equal scores, that of the site
/// of the lower index is lower. Sites count the same, whatever weight they claim.
public struct Krum: CollectiveRule {
  /// How many sites may send anything.
  public let byzantine: Int
  /// How many updates are averaged.
  public let keeping: Int
  /// Where updates are kept.
  public var settings = CollectiveSettings()

  /// Krum, or multi-Krum.
  ///
  /// - Parameters:
  ///   - byzantine: How many sites may send anything, at least 0.
  ///   - keeping: How many updates are averaged, at least 1.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public init(byzantine: Int, keeping: Int = 1) throws {
    try checkByzantine(byzantine)
    guard (1...1_000_000_000).contains(keeping) else {
      throw FederationError(
        code: .invalidConfiguration,
        message: "at least 1 update must be kept, not \(keeping)"
      )
    }
    self.byzantine = byzantine
    self.keeping = keeping
  }

  /// `2f + 3`, and so many that those kept have as many neighbours each: `keeping + f + 2` (El Mhamdi et al., 2018).
  public var minimumUpdates: Int {
    max(2 * byzantine + 3, keeping > 1 ? keeping + byzantine + 2 : 0)
  }

  /// The positions of the updates that are kept.
  public func plan(for updates: CollectedUpdates) throws -> [Int] {
    let distances = try updates.squaredDistances()
    let scores = krumScores(of: Array(0..<updates.count), distances, byzantine: byzantine)
    return Array(scores.sorted { ($0.score, $0.update) < ($1.score, $1.update) }.prefix(keeping))
      .map(\.update)
  }

  /// The mean of the updates that are kept; the model's values if none of them has the tensor.
  public func combine(_ chunk: UpdateChunk, _ plan: [Int]) throws -> Tensor {
    try chunk.rows(of: plan)?.to(.float64).mean(along: 0) ?? chunk.reference
  }
}

/// The scores of some of the updates among themselves: each one's squared distances to its nearest `count − f − 2`, at least one.
func krumScores(
  of candidates: [Int],
  _ squaredDistances: [[Double]],
  byzantine: Int
) -> [(update: Int, score: Double)] {
  let neighbours = max(1, candidates.count - byzantine - 2)
  return candidates.map { update in
    let others = candidates.filter { $0 != update }.map { squaredDistances[update][$0] }
    return (update, others.sorted().prefix(neighbours).reduce(0, +))
  }
}

/// Refuses a number of Byzantine sites below 0.
func checkByzantine(_ count: Int) throws {
  guard (0...100_000_000).contains(count) else {
    throw FederationError(
      code: .invalidConfiguration,
      message: "the number of Byzantine sites must be at least 0, not \(count)"
    )
  }
}

extension AggregationRule where Self == Krum {
  /// The update that lies closest to its neighbours.
  ///
  /// - Parameter byzantine: How many sites may send anything; at least twice as many and 3 must answer.
  /// - Returns: The rule.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public static func krum(byzantine: Int) throws -> Self { try Self(byzantine: byzantine) }

  /// The mean of the updates that lie closest to their neighbours.
  ///
  /// - Parameters:
  ///   - byzantine: How many sites may send anything.
  ///   - keeping: How many updates are averaged; `byzantine + 2` more must answer.
  /// - Returns: The rule.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public static func multiKrum(byzantine: Int, keeping: Int) throws -> Self {
    try Self(byzantine: byzantine, keeping: keeping)
  }
}
