public import TesseraCore

/// The median of each element (Yin, Chen, Ramchandran and Bartlett, 2018, definition 1).
///
/// It withstands fewer than half of the sites. Sites count the same, whatever weight they claim; of an even number of updates, the
/// two middle values' mean is taken.
public struct CoordinateMedian: CollectiveRule {
  /// Where updates are kept.
  public var settings = CollectiveSettings()

  /// The median.
  public init() {}

  /// The middle of each column.
  public func combine(_ chunk: UpdateChunk, _ plan: Void) throws -> Tensor {
    let sorted = try chunk.sorted()
    let (low, high) = ((chunk.updates.count - 1) / 2, chunk.updates.count / 2)
    guard low < high else { return try sorted.slice(at: low) }
    // In double precision: the sum of two large numbers could leave the range of their own.
    return try (sorted.slice(at: low).to(.float64) + sorted.slice(at: high).to(.float64)) / 2
  }
}

extension AggregationRule where Self == CoordinateMedian {
  /// The median of each element.
  public static var median: Self { Self() }
}
