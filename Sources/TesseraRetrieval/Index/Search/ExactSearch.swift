internal import Foundation
internal import TesseraCore

/// Search that looks at every vector.
///
/// Blocks of vectors are multiplied with all queries by LibTorch, into a buffer that stays in the processor's cache; its scores are then
/// compared with the worst that is kept, sixteen at a time. A ranking of all scores by LibTorch takes longer than the product itself.
struct ExactSearch {
  /// `[rows, dimension]`.
  let vectors: Tensor
  /// Which of the rows count; all if `nil`.
  let allowed: RowSet?

  private var rows: Int { vectors.shape[0] }

  /// Candidates that are kept beyond those asked for: the product rounds in another way with each number of queries, and the last ones'
  /// order shows only in the second look.
  private static let spare = 16

  /// The rows most like each query.
  ///
  /// Scores are computed a second time for the rows that are returned, in one order of additions and in double precision: they do not depend on
  /// how many queries there are or on the machine, and equal vectors have equal scores.
  ///
  /// - Parameters:
  ///   - queries: `[queries, dimension]`.
  ///   - limit: How many for each query.
  /// - Returns: For each query its rows, the best first; of equal scores the lower row first.
  /// - Throws: `TensorError` if memory is short.
  func best(_ queries: Tensor, _ limit: Int) throws -> [[BestRows.Hit]] {
    let count = queries.shape[0]
    let wanted = min(limit, allowed?.count ?? rows)
    guard count > 0, wanted > 0 else { return Array(repeating: [], count: count) }
    var best = (0..<count).map { _ in BestRows(capacity: wanted + Self.spare) }
    if let allowed, allowed.count < rows / 8 {
      try visitSelected(queries, allowed.rows) { query, row, score in best[query].show(row, score) }
    } else {
      try visitBlocks(queries) { scores, query, start in
        Self.scan(scores, from: start, allowed, &best[query])
      }
    }
    return try rescored(best.map(\.hits), queries).map { Array($0.prefix(wanted)) }
  }

  /// Hits with their exact scores, the best first.
  func rescored(_ hits: [[BestRows.Hit]], _ queries: Tensor) throws -> [[BestRows.Hit]] {
    let dimension = vectors.shape[1]
    return try vectors.withBytes { vectors in
      try queries.withBytes { queries in
        let rows = vectors.assumingMemoryBound(to: Float.self)
        let queries = queries.assumingMemoryBound(to: Float.self)
        return hits.enumerated().map { number, hits in
          let query = UnsafeBufferPointer(
            rebasing: queries[number * dimension..<(number + 1) * dimension]
          )
          return hits.map { hit in
            let row = UnsafeBufferPointer(
              rebasing: rows[hit.row * dimension..<(hit.row + 1) * dimension]
            )
            return BestRows.Hit(row: hit.row, score: Self.product(query, row))
          }.sorted { $1.isWorse(than: $0) }
        }
      }
    }
  }

  /// The rows whose score for a query is at least some number, one by one, with approximate scores.
  func visit(
    _ queries: Tensor,
    atLeast threshold: Float,
    _ body: (_ query: Int, _ row: Int, _ score: Float) -> Void
  ) throws {
    try visitBlocks(queries) { scores, query, start in
      Self.above(threshold.nextDown, scores) { index in
        if allowed?.contains(start + index) ?? true { body(query, start + index, scores[index]) }
        return threshold.nextDown
      }
    }
  }

  /// How many rows are multiplied at a time: their scores for all queries take half a megabyte, or a tenth of all of them.
  private func blockRows(_ queries: Int) -> Int { max(1024, (1 << 17) / max(queries, 1)) }

  private func visitBlocks(
    _ queries: Tensor,
    _ body: (_ scores: UnsafeBufferPointer<Float>, _ query: Int, _ start: Int) -> Void
  ) throws {
    let count = queries.shape[0]
    let block = blockRows(count)
    let single = count == 1 ? try queries.reshaped(to: [vectors.shape[1]]) : nil
    for start in stride(from: 0, to: rows, by: block) {
      let part = try vectors.slices(in: start..<min(rows, start + block))
      // Of one query, the product with a vector reads the rows as fast as memory gives them.
      let scores =
        if let single { try part.matmul(single) } else {
          try queries.matmul(part.transposed(0, 1))
        }
      let size = part.shape[0]
      try scores.withBytes { bytes in
        let scores = bytes.assumingMemoryBound(to: Float.self)
        for query in 0..<count {
          body(
            UnsafeBufferPointer(rebasing: scores[query * size..<(query + 1) * size]),
            query,
            start
          )
        }
      }
    }
  }

  /// Gathers the few rows that count instead of multiplying all of them.
  private func visitSelected(
    _ queries: Tensor,
    _ selected: [Int],
    _ body: (_ query: Int, _ row: Int, _ score: Float) -> Void
  ) throws {
    let block = 4096
    for start in stride(from: 0, to: selected.count, by: block) {
      let rows = Array(selected[start..<min(selected.count, start + block)])
      let indices = try Tensor(rows.map(Int64.init))
      let scores = try queries.matmul(
        vectors.gathered(indices, along: 0).transposed(0, 1)
      )
      try scores.withBytes { bytes in
        let scores = bytes.assumingMemoryBound(to: Float.self)
        for query in 0..<queries.shape[0] {
          for (index, row) in rows.enumerated() {
            body(query, row, scores[query * rows.count + index])
          }
        }
      }
    }
  }

  private static func scan(
    _ scores: UnsafeBufferPointer<Float>,
    from start: Int,
    _ allowed: RowSet?,
    _ best: inout BestRows
  ) {
    above(best.floor, scores) { index in
      if allowed?.contains(start + index) ?? true { best.show(start + index, scores[index]) }
      return best.floor
    }
  }

  /// Calls `body` with the index of each score above a floor.
  ///
  /// It says what the floor is from then on. NaN is above nothing.
  @inline(__always)
  private static func above(
    _ floor: Float,
    _ scores: UnsafeBufferPointer<Float>,
    _ body: (Int) -> Float
  ) {
    guard let base = scores.baseAddress else { return }
    var floor = floor
    var index = 0
    let bytes = UnsafeRawPointer(base)
    let width = 32
    while index + width <= scores.count {
      let a = bytes.loadUnaligned(fromByteOffset: index * 4, as: SIMD16<Float>.self)
      let b = bytes.loadUnaligned(fromByteOffset: index * 4 + 64, as: SIMD16<Float>.self)
      // A comparison that is false for NaN in either of the two.
      if any((a .> floor) .| (b .> floor)) {
        for inner in index..<index + width where scores[inner] > floor { floor = body(inner) }
      }
      index += width
    }
    while index < scores.count {
      if scores[index] > floor { floor = body(index) }
      index += 1
    }
  }

  private static func product(
    _ a: UnsafeBufferPointer<Float>,
    _ b: UnsafeBufferPointer<Float>
  ) -> Double {
    var sums = SIMD8<Double>()
    var index = 0
    while index + 8 <= a.count {
      for lane in 0..<8 { sums[lane] += Double(a[index + lane]) * Double(b[index + lane]) }
      index += 8
    }
    var sum = sums.sum()
    while index < a.count {
      sum += Double(a[index]) * Double(b[index])
      index += 1
    }
    return sum
  }
}
