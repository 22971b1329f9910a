internal import TesseraCore

/// The weighted mean of the updates of a round, `Σ wᵢ·xᵢ / Σ wᵢ` (McMahan et al., 2017).
///
/// It is exact: updates may arrive in any order and give the same bits. See ``RunningMean``.
public struct WeightedMean: AggregationRule {
  /// The mean by the number of examples.
  public init() {}

  /// A mean that has taken nothing yet.
  public func begin(_ round: AggregationRound) throws -> any Aggregation {
    try RunningMean(updating: round.reference, capacity: round.capacity, spool: round.spool)
  }
}

extension AggregationRule where Self == WeightedMean {
  /// The weighted mean.
  public static var weightedMean: Self { Self() }
}
