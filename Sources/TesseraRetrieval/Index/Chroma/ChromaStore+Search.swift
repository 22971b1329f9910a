extension ChromaStore {
  /// The entries that are most like each query, the best first; of equal scores the one whose id's bytes come first.
  public func search(_ queries: [[Float]], _ search: VectorSearch) async throws -> [[VectorMatch]] {
    try search.check(queries, dimension: dimension)
    let wanted = search.limit + search.offset
    var found = [[VectorMatch]](repeating: [], count: queries.count)
    guard search.limit > 0 else { return found }
    var open = Array(queries.indices)
    // What the server cannot decide is left out here, and more is asked for until there is enough.
    var asked = wanted
    while !open.isEmpty {
      let answers = try await neighbors(open.map { queries[$0] }, asked, search.filter)
      for (query, answer) in zip(open, answers) {
        found[query] = answer.filter {
          search.filter?.isFulfilled(id: $0.id, metadata: $0.metadata) ?? true
        }
      }
      open = zip(open, answers).filter { query, answer in
        found[query].count < wanted && answer.count == asked
      }.map(\.0)
      asked *= 4
    }
    return found.map { matches in
      matches.prefix(wanted).dropFirst(search.offset).filter { match in
        search.threshold.map { match.score >= $0 } ?? true
      }
    }
  }

  /// What the server finds for each query, the best first.
  private func neighbors(
    _ queries: [[Float]],
    _ count: Int,
    _ filter: VectorFilter? = nil
  ) async throws -> [[VectorMatch]] {
    guard !queries.isEmpty else { return [] }
    var body: [(name: String, value: JSONText)] = [
      ("query_embeddings", .list(queries.map { .vector($0) })), ("n_results", .integer(count)),
      ("include", .list([.text("distances"), .text("metadatas")])),
    ]
    if let condition = filter?.chromaCondition { body.append(("where", condition)) }
    let answer: ChromaMatches = try await call("query", .object(body))
    guard answer.ids.count == queries.count, let distances = answer.distances,
      let metadata = answer.metadatas, distances.map(\.count) == answer.ids.map(\.count),
      metadata.map(\.count) == answer.ids.map(\.count)
    else { throw connection.notUnderstood() }
    return answer.ids.indices.map { query in
      answer.ids[query].indices.map { place in
        VectorMatch(
          id: answer.ids[query][place],
          // Chroma's distance of inner products is 1 less the product.
          score: 1 - (distances[query][place] ?? .infinity),
          metadata: metadata[query][place]?.metadata ?? [:]
        )
      }.sorted {
        $0.score == $1.score
          ? $0.id.utf8.lexicographicallyPrecedes($1.id.utf8) : $0.score > $1.score
      }
    }
  }

  /// Pairs of entries whose vectors are nearly the same, the most alike first; of each, the one whose id's bytes come first.
  ///
  /// Each entry's neighbours are asked for, so this takes as many queries as there are entries.
  public func nearDuplicates(atLeast threshold: Float, limit: Int) async throws -> [NearDuplicate] {
    guard threshold.isFinite, limit >= 0 else {
      throw RetrievalError(
        code: .invalidArgument,
        message: "near-duplicates need a finite threshold and a limit of at least 0"
      )
    }
    guard limit > 0 else { return [] }
    var pairs = Pairs(limit: limit, floor: threshold)
    try await visitAll(["metadatas", "embeddings"]) { entries in
      for some in try whole(entries).pieces(of: 100) {
        var open = Array(some)
        var asked = 16
        while !open.isEmpty {
          let answers = try await neighbors(open.map(\.vector), asked)
          for (entry, matches) in zip(open, answers) {
            for match in matches where match.id != entry.id {
              pairs.show(entry.id, match.id, match.score)
            }
          }
          // Whose last neighbour is still so near has more of them.
          open = zip(open, answers).filter { _, matches in
            matches.count == asked && matches.last.map { $0.score >= pairs.floor } ?? false
          }.map(\.0)
          asked *= 4
        }
      }
    }
    return pairs.sorted
  }
}

/// The pairs with the greatest scores; each is found from both sides.
private struct Pairs {
  private struct Names: Hashable {
    var first: String
    var second: String
  }

  private let limit: Int
  private(set) var floor: Float
  private var scores: [Names: Float] = [:]

  init(limit: Int, floor: Float) {
    self.limit = limit
    self.floor = floor
  }

  mutating func show(_ one: String, _ other: String, _ score: Float) {
    guard score >= floor else { return }
    let isFirst = one.utf8.lexicographicallyPrecedes(other.utf8)
    let names = Names(first: isFirst ? one : other, second: isFirst ? other : one)
    // From the other side it may be rounded otherwise.
    scores[names] = max(scores[names] ?? -.infinity, score)
    guard scores.count >= 2 * limit + 1024 else { return }
    let best = sorted
    scores = Dictionary(
      uniqueKeysWithValues: best.map { (Names(first: $0.first, second: $0.second), $0.score) }
    )
    if let worst = best.last { floor = worst.score }
  }

  var sorted: [NearDuplicate] {
    let all = scores.map {
      NearDuplicate(first: $0.key.first, second: $0.key.second, score: $0.value)
    }
    return Array(all.sorted { $0.comes(before: $1) }.prefix(limit))
  }
}

extension NearDuplicate {
  fileprivate func comes(before other: Self) -> Bool {
    if score != other.score { return score > other.score }
    if first != other.first { return first.utf8.lexicographicallyPrecedes(other.first.utf8) }
    return second.utf8.lexicographicallyPrecedes(other.second.utf8)
  }
}

extension Array {
  fileprivate func pieces(of size: Int) -> [ArraySlice<Element>] {
    stride(from: 0, to: count, by: size).map { self[$0..<Swift.min(count, $0 + size)] }
  }
}
