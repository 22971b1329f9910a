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
    let members = Set(relevant).filter(similarities.indices.contains)
    func value(_ index: Int) -> Float {
      similarities[index].isNaN ? -.infinity : similarities[index]
    }
    let own = members.map(value).sorted(by: >)
    // How many others are at least as similar as each.
    var before = [Int](repeating: 0, count: own.count)
    for index in similarities.indices where !members.contains(index) {
      let other = value(index)
      // From the first of them that it is not behind.
      var low = 0
      var high = own.count
      while low < high {
        let middle = (low + high) / 2
        if own[middle] > other { low = middle + 1 } else { high = middle }
      }
      if low < own.count { before[low] += 1 }
    }
    var count = 0
    places = own.indices.map { index in
      count += before[index]
      return count + index + 1
    }
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
    let values = try similarities.to(.float32).moved(to: .cpu).array(of: Float.self)
    return relevant.enumerated().map { query, members in
      Ranking(Array(values[query * width..<(query + 1) * width]), relevant: members)
    }
  }
}
