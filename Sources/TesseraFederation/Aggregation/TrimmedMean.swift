public import TesseraCore

/// The mean of each element without its `⌊share · n⌋` greatest and least values of `n` (Yin et al., 2018, definition 2).
///
/// It withstands that share of the sites. Sites count the same, whatever weight they claim.
public struct TrimmedMean: CollectiveRule {
  /// Which share of the values is left out at each end.
  public let share: Double
  /// Where updates are kept.
  public var settings = CollectiveSettings()

  /// A trimmed mean.
  ///
  /// - Parameter share: Which share of the values is left out at each end: at least 0 and below ½.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public init(_ share: Double) throws {
    guard share >= 0, share < 0.5 else {
      throw FederationError(
        code: .invalidConfiguration,
        message: "the trimmed share must be at least 0 and below 0.5, not \(share)"
      )
    }
    self.share = share
  }

  /// So many that at least one value is left out at each end.
  public var minimumUpdates: Int {
    // Shares such as 0.1 are a little more or less than they should be.
    share > 0 ? Int(clamping: Int64(exactly: min((1 / share - 1e-9).rounded(.up), 1e15)) ?? 1) : 1
  }

  /// The mean of each column's middle.
  public func combine(_ chunk: UpdateChunk, _ plan: Void) throws -> Tensor {
    let count = chunk.updates.count
    let cut = Int(share * Double(count) + 1e-9)
    return try chunk.sorted().slices(in: cut..<count - cut).to(.float64).mean(along: 0)
  }
}

extension AggregationRule where Self == TrimmedMean {
  /// The mean of each element without its greatest and least values.
  ///
  /// - Parameter share: Which share is left out at each end: at least 0 and below ½.
  /// - Returns: The rule.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public static func trimmedMean(_ share: Double) throws -> Self { try Self(share) }
}
