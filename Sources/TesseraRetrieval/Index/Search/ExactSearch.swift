internal import TesseraCore

/// Search that looks at every vector.
///
/// Vectors are read once, and only those scores leave the processor's registers that are above the worst that is kept: with one query, memory
/// is what takes the time.
struct ExactSearch {
  /// `[rows, dimension]`.
  let vectors: Tensor
  /// Which of the rows count; all if `nil`.
  let allowed: RowSet?

  private var rows: Int { vectors.shape[0] }

  /// Candidates that are kept beyond those asked for: kernels round in another way with each number of queries, and the last ones' order
  /// shows only in the second look.
  private static let spare = 16
  /// How many queries are compared with the rows at a time.
  private static let group = 256

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
    let wanted = min(limit, allowed?.count ?? rows)
    return try rescored(candidates(queries, wanted), queries).map { Array($0.prefix(wanted)) }
  }

  /// A few more rows than are wanted of each query, with approximate scores and in no order.
  func candidates(_ queries: Tensor, _ wanted: Int) throws -> [[BestRows.Hit]] {
    let count = queries.shape[0]
    guard wanted > 0 else { return Array(repeating: [], count: count) }
    var all: [[BestRows.Hit]] = []
    for start in stride(from: 0, to: count, by: Self.group) {
      let group = try queries.slices(in: start..<min(count, start + Self.group))
      var best = (0..<group.shape[0]).map { _ in BestRows(capacity: wanted + Self.spare) }
      if let allowed, allowed.count < rows / 8 {
        try visitSelected(group, allowed.rows, &best)
      } else {
        try vectors.visitProducts(with: group, above: best.map(\.floor)) { product in
          if allowed?.contains(product.row) ?? true {
            best[product.query].show(product.row, product.score)
          }
          return best[product.query].floor
        }
      }
      all += best.map(\.hits)
    }
    return all
  }

  /// Gathers the few rows that count instead of looking at all of them.
  private func visitSelected(_ queries: Tensor, _ selected: [Int], _ best: inout [BestRows]) throws
  {
    let block = 4096
    for start in stride(from: 0, to: selected.count, by: block) {
      let rows = Array(selected[start..<min(selected.count, start + block)])
      let gathered = try vectors.gathered(Tensor(rows.map(Int64.init)), along: 0)
      try gathered.visitProducts(with: queries, above: best.map(\.floor)) { product in
        best[product.query].show(rows[product.row], product.score)
        return best[product.query].floor
      }
    }
  }

  /// Hits with their exact scores, the best first.
  func rescored(_ hits: [[BestRows.Hit]], _ queries: Tensor) throws -> [[BestRows.Hit]] {
    try withProducts(queries) { product in
      hits.enumerated().map { query, hits in
        hits.map { BestRows.Hit(row: $0.row, score: product(query, $0.row)) }
          .sorted { $1.isWorse(than: $0) }
      }
    }
  }

  /// Gives `body` the exact inner product of a query and a row.
  func withProducts<Result>(
    _ queries: Tensor,
    _ body: ((_ query: Int, _ row: Int) -> Double) throws -> Result
  ) throws -> Result {
    let dimension = vectors.shape[1]
    return try vectors.withBytes { vectors in
      try queries.withBytes { queries in
        let rows = vectors.assumingMemoryBound(to: Float.self)
        let queries = queries.assumingMemoryBound(to: Float.self)
        return try body { query, row in
          Self.product(
            UnsafeBufferPointer(rebasing: queries[query * dimension..<(query + 1) * dimension]),
            UnsafeBufferPointer(rebasing: rows[row * dimension..<(row + 1) * dimension])
          )
        }
      }
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
