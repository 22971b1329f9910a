internal import CFaiss
internal import Foundation
public import SystemPackage
public import TesseraCore
public import TesseraRetrieval

/// Neighbours proposed by Faiss.
///
///     let index = try VectorIndex("pictures.index", model: digest, dimension: 640, acceleration: FaissAcceleration.hnsw())
///     try await index.accelerate()
///
/// *HNSW* (Malkov and Yashunin, 2018) is a graph of neighbours: the best recall, and all vectors once more in memory. *IVF-PQ* (Jégou, Douze and
/// Schmid, 2011) is lists of coded vectors: a fraction of the memory, made faster, less sure.
public enum FaissAcceleration: VectorAcceleration, Hashable {
  /// A graph.
  ///
  /// - `links`: Of each vector, on each level but the lowest, which has twice as many; 4 to 256.
  /// - `buildEffort`: How many candidates are looked at when a vector is added.
  /// - `searchEffort`: How many are looked at, at least, when a query is answered.
  case hnsw(links: Int = 32, buildEffort: Int = 100, searchEffort: Int = 128)
  /// Lists of codes.
  ///
  /// - `lists`: Four times the square root of the number of vectors if `nil`.
  /// - `bytes`: Of a code; divides the dimension. About an eighth of it if `nil`.
  /// - `probes`: How many lists are looked at when a query is answered.
  case ivfPQ(lists: Int? = nil, bytes: Int? = nil, probes: Int = 16)

  /// The kind and what its file depends on.
  public var name: String {
    switch self {
    case .hnsw(let links, let buildEffort, _): "hnsw \(links) \(buildEffort)"
    case .ivfPQ(let lists, let bytes, _):
      "ivf-pq \(lists.map(String.init) ?? "-") \(bytes.map(String.init) ?? "-")"
    }
  }

  /// The kind of a name that ``name`` has given; what only searches depend on is as usual.
  ///
  /// - Parameter name: As an index says it.
  public init?(name: String) {
    let parts = name.split(separator: " ").map(String.init)
    guard parts.count == 3 else { return nil }
    switch parts[0] {
    case "hnsw":
      guard let links = Int(parts[1]), let effort = Int(parts[2]) else { return nil }
      self = .hnsw(links: links, buildEffort: effort)
    case "ivf-pq": self = .ivfPQ(lists: Int(parts[1]), bytes: Int(parts[2]))
    default: return nil
    }
    guard self.name == name else { return nil }
  }

  /// Learns from vectors, and keeps them.
  ///
  /// - Parameters:
  ///   - vectors: `[count, dimension]`.
  ///   - rows: The number of each.
  /// - Returns: What proposes neighbours among them.
  /// - Throws: ``RetrievalError`` if a number is out of range or there are too few vectors; `TensorError` if memory is short.
  public func build(_ vectors: Tensor, rows: [Int]) throws -> any NeighborProposals {
    let (count, dimension) = (vectors.shape[0], vectors.shape[1])
    let index: FaissIndex
    switch self {
    case .hnsw(let links, let buildEffort, _):
      try Self.require((4...256).contains(links), "links are from 4 to 256")
      try Self.require((1...100_000).contains(buildEffort), "the effort is from 1 to 100000")
      index = try FaissIndex(dimension: dimension, description: "HNSW\(links)")
      try index.set("efConstruction", buildEffort)
    case .ivfPQ(let lists, let bytes, _):
      let lists = lists ?? min(max(1, Int(4 * Double(count).squareRoot())), max(1, count / 39))
      let bytes = bytes ?? Self.divisor(of: dimension, near: max(1, dimension / 8))
      try Self.require((1...1_000_000).contains(lists), "lists are from 1 to 1000000")
      try Self.require(bytes > 0 && dimension % bytes == 0, "bytes of a code divide \(dimension)")
      // Each byte of a code is one of 256 values that are learned.
      try Self.require(
        count >= max(256, lists),
        "IVF-PQ needs \(max(256, lists)) vectors, not \(count)"
      )
      index = try FaissIndex(dimension: dimension, description: "IVF\(lists),PQ\(bytes)")
      try index.train(Self.sample(of: vectors, atMost: max(256 * lists, 65_536)))
    }
    try configure(index)
    try index.add(vectors, rows: rows)
    return index
  }

  /// Reads what was written.
  ///
  /// - Parameter path: A file of ``FaissIndex``.
  /// - Returns: What proposes neighbours.
  /// - Throws: ``RetrievalError`` if it is not one.
  public func read(_ path: FilePath) throws -> any NeighborProposals {
    let index = try FaissIndex(contentsOf: path)
    if case .hnsw(_, let buildEffort, _) = self { try index.set("efConstruction", buildEffort) }
    try configure(index)
    return index
  }

  private func configure(_ index: FaissIndex) throws {
    switch self {
    case .hnsw(_, _, let searchEffort):
      try Self.require((1...100_000).contains(searchEffort), "the effort is from 1 to 100000")
      index.effort = ("efSearch", searchEffort)
    case .ivfPQ(_, _, let probes):
      try Self.require((1...1_000_000).contains(probes), "probes are from 1 to 1000000")
      index.effort = ("nprobe", probes)
    }
  }

  /// Vectors at equal distances in the file, so that the same vectors give the same lists.
  private static func sample(of vectors: Tensor, atMost most: Int) throws -> Tensor {
    let count = vectors.shape[0]
    guard count > most else { return vectors }
    return try vectors.gathered(Tensor((0..<most).map { Int64($0 * count / most) }))
  }

  private static func divisor(of number: Int, near wanted: Int) -> Int {
    (1...number).filter { number % $0 == 0 }.min { abs($0 - wanted) < abs($1 - wanted) } ?? 1
  }

  private static func require(_ condition: Bool, _ message: String) throws {
    guard condition else { throw RetrievalError(code: .invalidArgument, message: message) }
  }
}
