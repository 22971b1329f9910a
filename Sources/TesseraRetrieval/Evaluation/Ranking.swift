internal import Foundation
public import TesseraCore

/// Where the candidates that belong to a query stand among all candidates.
///
/// Candidates that are as similar as one that belongs to the query, but do not belong to it, stand before it: a model that cannot tell
/// them apart gains nothing.
public struct Ranking: Sendable, Hashable {
  /// The places of the candidates that belong to the query, from 1, the best first; empty if none does.
  public let places: [Int]

  /// The ranking of one query.
  ///
  /// - Parameters:
  ///   - similarities: Of the query to each candidate; what is no number is least similar.
  ///   - relevant: The candidates that belong to it; those outside are left out.
  public init(_ similarities: [Float], relevant: some Sequence<Int>) {
    self = similarities.withUnsafeBufferPointer { Ranking($0, relevant: Set(relevant)) }
  }

  private init(_ similarities: UnsafeBufferPointer<Float>, relevant: Set<Int>) {
    let own = relevant.lazy.filter(similarities.indices.contains)
      .map { similarities[$0].isNaN ? -.infinity : similarities[$0] }.sorted(by: >)
    places = own.enumerated().map { rank, value in
      // Those that belong to it are among them: of these, the ones before it and those that are as similar.
      let among = own[rank...].prefix { $0 == value }.count + rank
      return Self.count(of: similarities, atLeast: value) - among + rank + 1
    }
  }

  /// How many are as similar or more.
  private static func count(
    of similarities: UnsafeBufferPointer<Float>,
    atLeast value: Float
  ) -> Int {
    // What is no number is not more than anything, but as much as what is no number.
    if value == -.infinity { return similarities.count }
    var count: Int32 = 0
    for similarity in similarities { count &+= similarity >= value ? 1 : 0 }
    return Int(count)
  }

  /// Whether one of the first `limit` candidates belongs to the query: the hit rate that CLIP_benchmark and big_vision call recall.
  public func isHit(within limit: Int) -> Bool { places.first.map { $0 <= limit } ?? false }

  /// The mean of the hits within 1, 5 and 10.
  public var meanRecall: Double {
    Double([1, 5, 10].count { isHit(within: $0) }) / 3
  }

  /// Normalised discounted cumulative gain of the first ten candidates (Järvelin and Kekäläinen, 2002), each of which belongs to the query
  /// or does not.
  public var gainAtTen: Double {
    guard !places.isEmpty else { return 0 }
    let gain = places.lazy.filter { $0 <= 10 }.reduce(0) { $0 + 1 / log2(Double($1) + 1) }
    let best = (1...min(10, places.count)).reduce(0) { $0 + 1 / log2(Double($1) + 1) }
    return gain / best
  }

  /// The rankings of several queries.
  ///
  /// - Parameters:
  ///   - similarities: `[queries, candidates]`.
  ///   - relevant: The candidates that belong to each query.
  /// - Returns: One for each query.
  /// - Throws: ``RetrievalError`` with code ``RetrievalError/Code/invalidArgument`` if the numbers of queries differ.
  public static func all(_ similarities: Tensor, relevant: [[Int]]) throws -> [Ranking] {
    guard similarities.rank == 2, similarities.shape[0] == relevant.count else {
      throw RetrievalError(
        code: .invalidArgument,
        message:
          "similarities of shape \(similarities.shape) are not those of \(relevant.count) queries"
      )
    }
    let width = similarities.shape[1]
    return try similarities.to(.float32).moved(to: .cpu).withBytes { bytes in
      let values = bytes.assumingMemoryBound(to: Float.self)
      return relevant.enumerated().map { query, members in
        let row = UnsafeBufferPointer(rebasing: values[query * width..<(query + 1) * width])
        return Ranking(row, relevant: Set(members))
      }
    }
  }

  /// The rankings of queries by their vectors' products, of some queries at a time: memory for 64 MB of similarities, however many
  /// queries there are.
  ///
  /// - Parameters:
  ///   - queries: `[queries, dimension]`.
  ///   - candidates: `[candidates, dimension]`.
  ///   - relevant: The candidates that belong to each query.
  ///   - block: How many queries are multiplied at a time; as many as fit if `nil`.
  ///   - progress: Is told how many queries are done; what it throws ends it.
  /// - Returns: One for each query.
  /// - Throws: ``RetrievalError`` with code ``RetrievalError/Code/invalidArgument`` if the numbers do not fit together.
  public static func all(
    of queries: Tensor,
    among candidates: Tensor,
    relevant: [[Int]],
    block: Int? = nil,
    progress: (_ done: Int) throws -> Void = { _ in }
  ) throws -> [Ranking] {
    guard queries.rank == 2, candidates.rank == 2, queries.shape[1] == candidates.shape[1],
      queries.shape[0] == relevant.count
    else {
      throw RetrievalError(
        code: .invalidArgument,
        message: """
          queries of shape \(queries.shape) do not fit candidates of shape \(candidates.shape) and what belongs to \
          \(relevant.count) queries
          """
      )
    }
    let fitting = min(1024, (1 << 24) / max(1, candidates.shape[0]))
    let size = max(1, block ?? fitting)
    let transposed = try candidates.transposed()
    var rankings: [Ranking] = []
    rankings.reserveCapacity(relevant.count)
    for start in stride(from: 0, to: relevant.count, by: size) {
      try progress(start)
      let rows = start..<min(relevant.count, start + size)
      let similarities = try queries.slices(in: rows).matmul(transposed)
      rankings += try all(similarities, relevant: Array(relevant[rows]))
    }
    return rankings
  }
}
