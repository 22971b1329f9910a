public import TesseraCore

/// Finds pairs of texts that are translations of each other among many, by their vectors (Artetxe and Schwenk, 2019).
public struct BitextMining: Sendable, Hashable {
  /// How a pair is scored.
  public var scoring: Scoring
  /// Which pairs are looked at.
  public var retrieval: Retrieval
  /// How many neighbours a text has.
  public var neighbours: Int

  /// How a pair is scored: by its cosine, against the mean cosine of both texts to their neighbours.
  public enum Scoring: String, Sendable, Hashable, CaseIterable, Codable {
    /// The cosine alone.
    case absolute
    /// The cosine less the mean.
    case distance
    /// The cosine over the mean: a pair has to be better than what is near anyway.
    case ratio
  }

  /// Which pairs are looked at.
  public enum Retrieval: String, Sendable, Hashable, CaseIterable, Codable {
    /// The best of the second texts for each of the first.
    case forward
    /// The best of the first texts for each of the second.
    case backward
    /// Those that are both.
    case intersection
    /// Of those that are either the best first, each text once.
    case best
  }

  /// A pair that was found.
  public struct Pair: Sendable, Hashable {
    /// The place of the first text.
    public var left: Int
    /// The place of the second.
    public var right: Int
    /// The higher, the more probably they are translations.
    public var score: Double

    /// A pair.
    public init(left: Int, right: Int, score: Double) {
      self.left = left
      self.right = right
      self.score = score
    }
  }

  /// A way to mine; without arguments that of the paper.
  public init(scoring: Scoring = .ratio, retrieval: Retrieval = .best, neighbours: Int = 4) {
    self.scoring = scoring
    self.retrieval = retrieval
    self.neighbours = neighbours
  }

  /// The pairs, the best first; of equal ones that of the earlier texts.
  ///
  /// - Parameters:
  ///   - left: `[texts, dimension]`, rows of length 1.
  ///   - right: `[texts, dimension]`, rows of length 1.
  ///   - threshold: The least score.
  ///   - progress: Is told how many texts are compared, and of how many.
  /// - Returns: The pairs whose score is not less.
  /// - Throws: ``RetrievalError`` with code ``RetrievalError/Code/invalidArgument`` if the dimensions differ; what `progress` throws.
  public func pairs(
    _ left: Tensor,
    _ right: Tensor,
    threshold: Double = -.infinity,
    progress: (_ done: Int, _ of: Int) throws -> Void = { _, _ in }
  ) throws -> [Pair] {
    guard left.rank == 2, right.rank == 2, left.shape[1] == right.shape[1], neighbours >= 1 else {
      throw RetrievalError(
        code: .invalidArgument,
        message: """
          texts are compared by vectors of one dimension and one neighbour or more, not \
          \(left.shape), \(right.shape) and \(neighbours)
          """
      )
    }
    let counts = (left.shape[0], right.shape[0])
    guard counts.0 > 0, counts.1 > 0 else { return [] }
    let all = counts.0 + counts.1
    let forward = try nearest(left, right) { try progress($0, all) }
    let backward = try nearest(right, left) { try progress(counts.0 + $0, all) }
    func candidate(_ i: Int, _ j: Int, _ cosine: Double) -> Pair {
      let mean = (forward.means[i] + backward.means[j]) / 2
      let score =
        switch scoring {
        case .absolute: cosine
        case .distance: cosine - mean
        // A mean of 0 or less says that nothing is near: then any pair is better.
        case .ratio: cosine / max(mean, 1e-9)
        }
      return Pair(left: i, right: j, score: score)
    }
    // Of each text's neighbours the one with the best score, which need not be the nearest.
    let best = (
      forward: forward.found.enumerated().compactMap { i, row in
        Self.best(row.map { candidate(i, $0.index, $0.cosine) })
      },
      backward: backward.found.enumerated().compactMap { j, row in
        Self.best(row.map { candidate($0.index, j, $0.cosine) })
      }
    )
    var found: [Pair]
    switch retrieval {
    case .forward: found = best.forward
    case .backward: found = best.backward
    case .intersection:
      let other = Set(best.backward.map { [$0.left, $0.right] })
      found = best.forward.filter { other.contains([$0.left, $0.right]) }
    case .best:
      var lefts: Set<Int> = []
      var rights: Set<Int> = []
      found = Self.sorted(best.forward + best.backward).filter { pair in
        guard !lefts.contains(pair.left), !rights.contains(pair.right) else { return false }
        lefts.insert(pair.left)
        rights.insert(pair.right)
        return true
      }
    }
    return Self.sorted(found.filter { $0.score >= threshold })
  }

  private static func best(_ pairs: [Pair]) -> Pair? { sorted(pairs).first }

  private static func sorted(_ pairs: [Pair]) -> [Pair] {
    pairs.sorted { (-$0.score, $0.left, $0.right) < (-$1.score, $1.left, $1.right) }
  }

  /// The nearest of the others for each text, and the mean cosine to them.
  private func nearest(
    _ queries: Tensor,
    _ others: Tensor,
    progress: (Int) throws -> Void
  ) throws -> (found: [[(index: Int, cosine: Double)]], means: [Double]) {
    let count = min(neighbours, others.shape[0])
    let transposed = try others.transposed()
    var found: [[(index: Int, cosine: Double)]] = []
    // Rows of some 64 MB of cosines at a time.
    let block = max(1, min(1024, (1 << 24) / max(1, others.shape[0])))
    for start in stride(from: 0, to: queries.shape[0], by: block) {
      try progress(start)
      let rows = start..<min(queries.shape[0], start + block)
      let (values, indices) = try queries.slices(in: rows).matmul(transposed)
        .top(count, along: 1)
      let cosines = try values.to(.float64).array(of: Double.self)
      let places = try indices.array(of: Int64.self)
      for row in 0..<rows.count {
        let part = row * count..<(row + 1) * count
        found.append(zip(places[part], cosines[part]).map { (index: Int($0), cosine: $1) })
      }
    }
    try progress(queries.shape[0])
    let means = found.map { row in row.reduce(0) { $0 + $1.cosine } / Double(max(1, row.count)) }
    return (found, means)
  }
}

extension BitextMining {
  /// The score from which on pairs agree best with those that are known to be translations.
  ///
  /// - Parameters:
  ///   - pairs: The pairs that were found, the best first.
  ///   - known: The places of those that are translations.
  /// - Returns: The threshold, and the precision, recall and F1 that it gives; `nil` if no pair is a translation.
  public static func threshold(
    of pairs: [Pair],
    known: Set<[Int]>
  ) -> (threshold: Double, precision: Double, recall: Double, f1: Double)? {
    var best: (threshold: Double, precision: Double, recall: Double, f1: Double)?
    var right = 0
    for (index, pair) in pairs.enumerated() {
      if known.contains([pair.left, pair.right]) { right += 1 }
      // A threshold cannot stand between pairs of one score.
      if index + 1 < pairs.count, pairs[index + 1].score == pair.score { continue }
      guard right > 0 else { continue }
      let precision = Double(right) / Double(index + 1)
      let recall = Double(right) / Double(known.count)
      let f1 = 2 * precision * recall / (precision + recall)
      if f1 > best?.f1 ?? 0 { best = (pair.score, precision, recall, f1) }
    }
    return best
  }
}
