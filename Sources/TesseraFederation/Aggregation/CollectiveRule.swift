public import TesseraCore

/// A rule that compares the updates of a round with each other.
///
///     struct Midrange: CollectiveRule {
///       func combine(_ chunk: UpdateChunk, _ plan: Void) throws -> Tensor {
///         try (chunk.values.minimum(along: 0) + chunk.values.maximum(along: 0)) / 2
///       }
///     }
///
/// Updates are kept until all have come, in memory or in a temporary file (``CollectiveSettings``), and then looked at chunk by
/// chunk: the same elements of all of them, in the order of the sites, so that the order of arrival cannot matter. A rule that
/// needs to know something of whole updates first, such as their distances, finds it out in ``plan(for:)``.
public protocol CollectiveRule: AggregationRule {
  /// What the rule knows of whole updates when it combines their elements.
  associatedtype Plan = Void

  /// How few updates the rule's promise needs.
  ///
  /// With fewer, a round fails. A tensor that fewer updates have, since the others leave it out on purpose, stays the model's.
  var minimumUpdates: Int { get }

  /// Where updates are kept, and how many elements are looked at together.
  var settings: CollectiveSettings { get }

  /// Looks at whole updates, before any of their elements are combined.
  func plan(for updates: CollectedUpdates) throws -> Plan

  /// Makes one value of each element's values.
  ///
  /// - Parameters:
  ///   - chunk: The same elements of all updates that have them, `[updates, elements]`.
  ///   - plan: What ``plan(for:)`` found out.
  /// - Returns: `[elements]`, of any dtype; whole numbers are rounded to the nearest.
  /// - Throws: Whatever keeps the rule from it; the round then fails.
  func combine(_ chunk: UpdateChunk, _ plan: Plan) throws -> Tensor
}

extension CollectiveRule {
  /// One update is enough.
  public var minimumUpdates: Int { 1 }
  /// The usual settings.
  public var settings: CollectiveSettings { CollectiveSettings() }

  /// Keeps the updates of a round.
  public func begin(_ round: AggregationRound) throws -> any Aggregation {
    CollectiveAggregation(by: self, updating: round.reference)
  }
}

extension CollectiveRule where Plan == Void {
  /// Nothing has to be known before.
  public func plan(for updates: CollectedUpdates) throws {}
}

/// The same elements of all updates that have them.
public struct UpdateChunk: Sendable {
  /// The name of the tensor that they are part of.
  public let tensor: String
  /// Which of its elements, in row-major order.
  public let elements: Range<Int>
  /// Which updates, by their positions in ``CollectedUpdates``, ascending; a row of ``values`` each.
  public let updates: [Int]
  /// The updates' values, `[updates, elements]`: weights, not differences.
  ///
  /// `float64` for tensors of `float64` and whole numbers, otherwise `float32`.
  public let values: Tensor
  /// The model's own values, `[elements]`, of the same dtype.
  public let reference: Tensor

  /// The rows of some updates, `[updates, elements]`, or `nil` if none of them has this tensor.
  public func rows(of positions: some Collection<Int>) throws -> Tensor? {
    let wanted = Set(positions)
    let rows = updates.indices.filter { wanted.contains(updates[$0]) }
    guard !rows.isEmpty else { return nil }
    guard rows.count < updates.count else { return values }
    return try values.gathered(Tensor(rows))
  }

  /// Each column in ascending order, `[updates, elements]`.
  public func sorted() throws -> Tensor { try values.sortedColumns() }
}

/// All updates of a round.
public struct CollectedUpdates {
  /// Whose they are, in the order of the sites' indices.
  public let sites: [Site]
  /// How much each counts.
  public let weights: [Double]
  let store: UpdateStore
  let order: [Int]

  /// The number of updates.
  public var count: Int { sites.count }

  /// Walks through the floating-point elements of whole updates: counters say nothing about how far updates are apart.
  ///
  /// A tensor that an update leaves out counts as the model's, which its sender keeps to. Tensors that all leave out do not
  /// come.
  public func forEachChunk(_ body: (UpdateChunk) throws -> Void) throws {
    for (index, tensor) in store.model.tensors.enumerated()
    where tensor.dtype.isFloatingPoint && store.holders(of: index, in: order).count > 0 {
      try store.forEachChunk(of: index, rows: order, fillingFromModel: true, body)
    }
  }

  /// The squared Euclidean distances between all updates, `[updates][updates]`, and of each to itself 0.
  public func squaredDistances() throws -> [[Double]] {
    var sums = [Double](repeating: 0, count: count * count)
    try forEachChunk { try $0.values.addSquaredDistances(to: &sums, rows: count) }
    return (0..<count).map { i in (0..<count).map { sums[min(i, $0) * count + max(i, $0)] } }
  }
}

/// Where the updates of a round are kept, and how they are looked at.
public struct CollectiveSettings: Sendable, Hashable {
  /// How many bytes of updates stay in memory; those that come when it is used up go to a file.
  public var memory: Int
  /// How many bytes of all updates together a chunk has; at least one element of each is looked at.
  public var chunk: Int
  /// In which folder the file lies, without a name; in the system's for temporary files if `nil`.
  public var folder: String?

  /// Settings.
  public init(memory: Int = 64 << 20, chunk: Int = 4 << 20, folder: String? = nil) {
    self.memory = memory
    self.chunk = chunk
    self.folder = folder
  }
}
