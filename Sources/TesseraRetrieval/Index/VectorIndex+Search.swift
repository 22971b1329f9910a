internal import GRDB
internal import TesseraCore

extension VectorIndex {
  /// The entries that are most like each query, the best first; of equal scores the one with the lower row first.
  public func search(_ queries: [[Float]], _ search: VectorSearch) throws -> [[VectorMatch]] {
    try search.check(queries, dimension: dimension)
    guard !queries.isEmpty else { return [] }
    return try reading { snapshot in
      let allowed = try allowed(search.filter, snapshot)
      let exact = ExactSearch(
        vectors: try vectors.tensor(rows: snapshot.state.rows),
        allowed: allowed.count == snapshot.state.rows ? nil : allowed
      )
      let matrix = try Tensor(Array(queries.joined()), shape: [queries.count, dimension])
      let limit = search.limit + search.offset
      if let hits = try acceleratedBest(exact, matrix, limit, allowed: allowed, snapshot) {
        answers.accelerated += queries.count
        return try matches(hits, search, snapshot)
      }
      answers.exact += queries.count
      return try matches(exact.best(matrix, limit), search, snapshot)
    }
  }

  /// The rows that a search may return.
  private func allowed(_ filter: VectorFilter?, _ snapshot: Snapshot) throws -> RowSet {
    guard let filter else { return snapshot.live }
    var rows = try database.rows(
      fulfilling: filter,
      among: snapshot.live,
      snapshot.transaction
    )
    rows.formIntersection(snapshot.live)
    return rows
  }

  /// The page of hits, with what the entries say of themselves.
  private func matches(
    _ hits: [[BestRows.Hit]],
    _ search: VectorSearch,
    _ snapshot: Snapshot
  ) throws -> [[VectorMatch]] {
    try hits.map { hits in
      let page = hits.dropFirst(search.offset).prefix(search.limit)
      return try page.compactMap { hit in
        if let threshold = search.threshold, Float(hit.score) < threshold { return nil }
        return VectorMatch(
          id: try id(at: hit.row, snapshot),
          score: Float(hit.score),
          metadata: try database.metadata(at: hit.row, snapshot.transaction)
        )
      }
    }
  }

  private func id(at row: Int, _ snapshot: Snapshot) throws -> String {
    guard let (id, _) = try database.entry(at: row, snapshot.transaction) else {
      throw IndexDatabase.damaged(database.path, "a row is neither free nor an entry's")
    }
    return id
  }

  /// Pairs of entries whose vectors are nearly the same, the most alike first.
  public func nearDuplicates(atLeast threshold: Float, limit: Int) throws -> [NearDuplicate] {
    guard threshold.isFinite, limit >= 0 else {
      throw RetrievalError(
        code: .invalidArgument,
        message: "near-duplicates need a finite threshold and a limit of at least 0"
      )
    }
    guard limit > 0 else { return [] }
    return try reading { snapshot in
      let (state, live) = (snapshot.state, snapshot.live)
      let all = try vectors.tensor(rows: state.rows)
      let search = ExactSearch(vectors: all, allowed: live)
      var pairs = BestPairs(limit: limit, atLeast: Double(threshold))
      let block = 256
      for start in stride(from: 0, to: state.rows, by: block) {
        let queries = try all.slices(in: start..<min(state.rows, start + block))
        // Each pair is seen once: as one of the rows and a later one.
        let rows = try all.slices(in: start..<state.rows)
        try search.withProducts(queries) { exactProduct in
          try rows.visitProducts(
            with: queries,
            above: Array(repeating: pairs.floor, count: queries.shape[0])
          ) { product in
            let (first, second) = (start + product.query, start + product.row)
            if second > first, product.score > pairs.floor, live.contains(first),
              live.contains(second)
            {
              pairs.show(first, second, exactProduct(product.query, second))
            }
            return pairs.floor
          }
        }
      }
      return try pairs.sorted.map { pair in
        NearDuplicate(
          first: try id(at: pair.first, snapshot),
          second: try id(at: pair.second, snapshot),
          score: Float(pair.score)
        )
      }
    }
  }
}

/// The pairs of rows with the greatest scores.
private struct BestPairs {
  struct Pair {
    var first: Int
    var second: Int
    var score: Double
  }

  private let limit: Int
  private var threshold: Double
  private var pairs: [Pair] = []

  init(limit: Int, atLeast threshold: Double) {
    self.limit = limit
    self.threshold = threshold
  }

  mutating func show(_ first: Int, _ second: Int, _ score: Double) {
    guard score >= threshold else { return }
    pairs.append(Pair(first: first, second: second, score: score))
    // Sorted once in a while, so that a pair costs little.
    if pairs.count >= max(2 * limit, 1024) { cut() }
  }

  private mutating func cut() {
    pairs = sorted
    // One with the same score and later rows comes after all that are kept.
    if pairs.count == limit, let worst = pairs.last { threshold = worst.score }
  }

  /// What no pair that counts is up to by the kernel's rounding.
  var floor: Float { Float(threshold - max(1e-4, abs(threshold) * 1e-4)) }

  var sorted: [Pair] {
    Array(
      pairs.sorted { ($1.score, $0.first, $0.second) < ($0.score, $1.first, $1.second) }
        .prefix(limit)
    )
  }
}
