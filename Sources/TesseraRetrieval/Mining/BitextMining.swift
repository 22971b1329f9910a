public import TesseraCore

/// Finds pairs of texts that are translations of each other among many, by their vectors (Artetxe and Schwenk, 2019).
///
/// Beside the vectors it needs 8 bytes for each text and neighbour, 90 bytes for each text, and 64 MB for cosines.
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

  /// How many texts are compared with others at most: all pairs of so many are 4·10¹², which takes days.
  public static let mostTexts = 2_000_000

  /// The pairs, the best first; of equal ones that of the earlier texts.
  ///
  /// - Parameters:
  ///   - left: `[texts, dimension]`, rows of length 1.
  ///   - right: `[texts, dimension]`, rows of length 1.
  ///   - threshold: The least score.
  ///   - progress: Is told how many texts are compared, and of how many.
  /// - Returns: The pairs whose score is not less.
  /// - Throws: ``RetrievalError`` with code ``RetrievalError/Code/invalidArgument`` if the dimensions differ or there are more than
  ///   ``mostTexts``; what `progress` throws.
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
    guard max(counts.0, counts.1) <= Self.mostTexts else {
      throw RetrievalError(
        code: .invalidArgument,
        message:
          "\(max(counts.0, counts.1)) texts are more than \(Self.mostTexts): mine them in parts"
      )
    }
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
    let bestOfLeft = (0..<counts.0).map { i in
      Self.best(forward.neighbours(of: i).map { candidate(i, $0.index, $0.cosine) })
    }
    let bestOfRight = (0..<counts.1).map { j in
      Self.best(backward.neighbours(of: j).map { candidate($0.index, j, $0.cosine) })
    }
    var found: [Pair]
    switch retrieval {
    case .forward: found = bestOfLeft.compactMap { $0 }
    case .backward: found = bestOfRight.compactMap { $0 }
    case .intersection:
      found = bestOfLeft.compactMap { $0 }.filter { bestOfRight[$0.right]?.left == $0.left }
    case .best:
      var isTaken = (
        left: [Bool](repeating: false, count: counts.0),
        right: [Bool](repeating: false, count: counts.1)
      )
      found = Self.sorted((bestOfLeft + bestOfRight).compactMap { $0 }).filter { pair in
        guard !isTaken.left[pair.left], !isTaken.right[pair.right] else { return false }
        isTaken.left[pair.left] = true
        isTaken.right[pair.right] = true
        return true
      }
    }
    return Self.sorted(found.filter { $0.score >= threshold })
  }

  private static func best(_ pairs: some Sequence<Pair>) -> Pair? {
    pairs.min { comesBefore($0, $1) }
  }

  private static func sorted(_ pairs: [Pair]) -> [Pair] { pairs.sorted(by: comesBefore) }

  private static func comesBefore(_ a: Pair, _ b: Pair) -> Bool {
    (-a.score, a.left, a.right) < (-b.score, b.left, b.right)
  }

  /// The nearest of other texts to each of many, one after the other.
  private struct Neighbours {
    /// How many each text has.
    let count: Int
    var indices: [Int32] = []
    var cosines: [Float] = []
    /// The mean cosine of each text to its neighbours.
    var means: [Double] = []

    func neighbours(of text: Int) -> some Collection<(index: Int, cosine: Double)> {
      (text * count..<(text + 1) * count).lazy.map {
        (index: Int(indices[$0]), cosine: Double(cosines[$0]))
      }
    }
  }

  private func nearest(
    _ queries: Tensor,
    _ others: Tensor,
    progress: (Int) throws -> Void
  ) throws -> Neighbours {
    var found = Neighbours(count: min(neighbours, others.shape[0]))
    found.indices.reserveCapacity(queries.shape[0] * found.count)
    found.cosines.reserveCapacity(queries.shape[0] * found.count)
    let transposed = try others.transposed()
    // Rows of some 64 MB of cosines at a time.
    let block = max(1, min(1024, (1 << 24) / max(1, others.shape[0])))
    for start in stride(from: 0, to: queries.shape[0], by: block) {
      try progress(start)
      let rows = start..<min(queries.shape[0], start + block)
      let (values, indices) = try queries.slices(in: rows).matmul(transposed)
        .top(found.count, along: 1)
      found.cosines += try values.to(.float32).array(of: Float.self)
      found.indices += try indices.array(of: Int64.self).lazy.map { Int32($0) }
    }
    try progress(queries.shape[0])
    found.means = (0..<queries.shape[0]).map { text in
      found.neighbours(of: text).reduce(0) { $0 + $1.cosine } / Double(max(1, found.count))
    }
    return found
  }
}

extension BitextMining {
  private struct Places: Hashable {
    var left: Int
    var right: Int
  }

  /// The score from which on pairs agree best with those that are known to be translations.
  ///
  /// - Parameters:
  ///   - pairs: The pairs that were found, the best first.
  ///   - known: The places of those that are translations.
  /// - Returns: The threshold, and the precision, recall and F1 that it gives; `nil` if no pair is a translation.
  public static func threshold(
    of pairs: [Pair],
    known: some Sequence<(left: Int, right: Int)>
  ) -> (threshold: Double, precision: Double, recall: Double, f1: Double)? {
    var best: (threshold: Double, precision: Double, recall: Double, f1: Double)?
    let known = Set(known.map { Places(left: $0.left, right: $0.right) })
    var right = 0
    for (index, pair) in pairs.enumerated() {
      if known.contains(Places(left: pair.left, right: pair.right)) { right += 1 }
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
