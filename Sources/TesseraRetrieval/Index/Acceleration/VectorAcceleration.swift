public import SystemPackage
public import TesseraCore

/// A way to find most of the nearest vectors without looking at all of them.
///
/// An index that has one compares exactly what it proposes, so that scores are the same, and decides itself what was removed, what is filtered
/// out and what is new.
public protocol VectorAcceleration: Sendable {
  /// The kind, and all that its file depends on, as `hnsw 32 200`: a file of another name is made anew.
  var name: String { get }

  /// Learns from vectors, and keeps them.
  ///
  /// - Parameters:
  ///   - vectors: `[count, dimension]`.
  ///   - rows: The number of each.
  /// - Returns: What proposes neighbours among them.
  /// - Throws: ``RetrievalError`` if the vectors are too few, `TensorError` if memory is short.
  func build(_ vectors: Tensor, rows: [Int]) throws -> any NeighborProposals

  /// Reads what was written; the file is whole.
  func read(_ path: FilePath) throws -> any NeighborProposals
}

/// What a ``VectorAcceleration`` has made of vectors; for one thread at a time.
public protocol NeighborProposals: AnyObject {
  /// How many vectors it has.
  var count: Int { get }

  /// Keeps more vectors.
  ///
  /// - Parameters:
  ///   - vectors: `[count, dimension]`.
  ///   - rows: The number of each; of one that was there before with another vector, the old one may be proposed, too.
  /// - Throws: ``RetrievalError`` or `TensorError` if memory is short.
  func add(_ vectors: Tensor, rows: [Int]) throws

  /// Numbers of vectors that are likely to be the most like each query.
  ///
  /// - Parameters:
  ///   - queries: `[queries, dimension]`.
  ///   - count: How many for each.
  /// - Returns: For each query so many, or fewer; in no order.
  /// - Throws: ``RetrievalError`` if they do not fit, `TensorError` if memory is short.
  func proposals(for queries: Tensor, count: Int) throws -> [[Int]]

  /// Writes all that ``VectorAcceleration/read(_:)`` needs.
  func write(to path: FilePath) throws
}
