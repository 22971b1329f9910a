internal import GRDB
internal import TesseraCore

extension VectorIndex {
  /// The entries that are most like each query, the best first; of equal scores the one with the lower row first.
  public func search(_ queries: [[Float]], _ search: VectorSearch) throws -> [[VectorMatch]] {
    try search.check(queries, dimension: dimension)
    guard !queries.isEmpty else { return [] }
    return try reading {
      let (state, live) = try live()
      let allowed = try allowed(search.filter, live)
      let exact = ExactSearch(
        vectors: try vectors.tensor(rows: state.rows),
        allowed: allowed.count == state.rows ? nil : allowed
      )
      let queries = try Tensor(Array(queries.joined()), shape: [queries.count, dimension])
      let limit = search.limit + search.offset
      let hits =
        try acceleratedBest(exact, queries, limit, allowed: allowed, live: live)
        ?? exact.best(queries, limit)
      return try matches(hits, search, state)
    }
  }

  /// The rows that a search may return.
  private func allowed(_ filter: VectorFilter?, _ live: RowSet) throws -> RowSet {
    guard let filter else { return live }
    return try database.read { transaction in
      var rows = try database.rows(fulfilling: filter, among: live, transaction)
      rows.formIntersection(live)
      return rows
    }
  }

  /// The page of hits, with what the entries say of themselves.
  private func matches(
    _ hits: [[BestRows.Hit]],
    _ search: VectorSearch,
    _ state: IndexDatabase.State
  ) throws -> [[VectorMatch]] {
    try database.read { transaction in
      try hits.map { hits in
        let page = hits.dropFirst(search.offset).prefix(search.limit)
        return try page.compactMap { hit in
          if let threshold = search.threshold, Float(hit.score) < threshold { return nil }
          // Another process may have removed it meanwhile; its row is nobody else's as long as this reads.
          guard let (id, place) = try database.entry(at: hit.row, transaction),
            place.change <= state.change
          else { return nil }
          return VectorMatch(
            id: id,
            score: Float(hit.score),
            metadata: try database.metadata(at: hit.row, transaction)
          )
        }
      }
    }
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
    return try reading {
      let (state, live) = try live()
      let all = try vectors.tensor(rows: state.rows)
      let search = ExactSearch(vectors: all, allowed: live)
      var pairs = BestPairs(limit: limit, atLeast: Double(threshold))
      let block = 256
      for start in stride(from: 0, to: state.rows, by: block) {
        let queries = try all.slices(in: start..<min(state.rows, start + block))
        var found: [[BestRows.Hit]] = Array(repeating: [], count: queries.shape[0])
        // A little lower: the second look decides.
        let floor = threshold - max(1e-4, abs(threshold) * 1e-4)
        try search.visit(queries, atLeast: floor) { query, row, score in
          if row > start + query, live.contains(start + query) {
            found[query].append(BestRows.Hit(row: row, score: Double(score)))
          }
        }
        for (query, hits) in try search.rescored(found, queries).enumerated() {
          for hit in hits { pairs.show(start + query, hit.row, hit.score) }
        }
      }
      return try database.read { transaction in
        try pairs.sorted.compactMap { pair in
          guard let first = try database.entry(at: pair.first, transaction),
            let second = try database.entry(at: pair.second, transaction)
          else { return nil }
          return NearDuplicate(first: first.id, second: second.id, score: Float(pair.score))
        }
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
    if pairs.count == limit, let worst = pairs.last { threshold = worst.score.nextUp }
  }

  var sorted: [Pair] {
    Array(
      pairs.sorted { ($1.score, $0.first, $0.second) < ($0.score, $1.first, $1.second) }
        .prefix(limit)
    )
  }
}
