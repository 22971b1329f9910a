import TesseraCore
import TesseraRetrieval
import TesseraTesting
import Testing

/// Translations among many texts.
@Suite struct BitextMiningTests {
  private func rows(_ values: [[Double]]) throws -> Tensor {
    try Tensor(values.flatMap { $0 }, shape: [values.count, values[0].count]).to(.float32)
      .normalizedRows()
  }

  /// Vectors of translations: the same with some noise, in another order, and some that have none.
  private func texts(_ noise: Double) throws -> (Tensor, Tensor, known: [(left: Int, right: Int)]) {
    let things = try Tensor.normal([50, 16], using: Generator(seed: 1))
    let other = try Tensor.normal([50, 16], using: Generator(seed: 2)) * noise
    let lone = try Tensor.normal([10, 16], using: Generator(seed: 3))
    let order = (0..<50).map { ($0 * 7) % 50 }
    let right = try concatenate([(things + other).gathered(Tensor(order)), lone])
    let known = order.enumerated().map { (left: $0.element, right: $0.offset) }
    return (try things.normalizedRows(), try right.normalizedRows(), known)
  }

  @Test(arguments: BitextMining.Scoring.allCases, BitextMining.Retrieval.allCases)
  func translationsAreFound(
    _ scoring: BitextMining.Scoring,
    _ retrieval: BitextMining.Retrieval
  ) throws {
    let (left, right, known) = try texts(0.2)
    let mining = BitextMining(scoring: scoring, retrieval: retrieval)
    let pairs = try mining.pairs(left, right)
    let best = try #require(BitextMining.threshold(of: pairs, known: known))
    #expect(best.f1 > 0.95, "\(best)")
    // What has no translation comes last.
    #expect(
      pairs.prefix(45).allSatisfy { pair in
        known.contains { $0 == (pair.left, pair.right) }
      }
    )
    let above = try mining.pairs(left, right, threshold: best.threshold)
    #expect(above == pairs.filter { $0.score >= best.threshold })
    if retrieval == .best || retrieval == .intersection {
      #expect(Set(pairs.map(\.left)).count == pairs.count)
      #expect(Set(pairs.map(\.right)).count == pairs.count)
    }
  }

  /// By hand: the cosine over the mean of both sides' means.
  @Test func theRatioIsThatOfThePaper() throws {
    let left = try rows([[1, 0], [0, 1]])
    let right = try rows([[1, 0], [1, 1]])
    let root = 0.5.squareRoot()
    let pairs = try BitextMining(retrieval: .forward, neighbours: 2).pairs(left, right)
    // Left 0: cosines 1 and √½; left 1: 0 and √½. Right 0: 1 and 0; right 1: √½ and √½.
    let means = (left: [(1 + root) / 2, root / 2], right: [0.5, root])
    let first = 1 / ((means.left[0] + means.right[0]) / 2)
    let second = root / ((means.left[1] + means.right[1]) / 2)
    #expect(pairs.map(\.left) == [0, 1])
    #expect(pairs.map(\.right) == [0, 1])
    #expect(abs(pairs[0].score - first) < 1e-5)
    #expect(abs(pairs[1].score - second) < 1e-5)
  }

  /// A text that is near to all is a translation of none: what the margin is for.
  @Test func aTextThatIsNearToAllIsNotPreferred() throws {
    let left = try rows([[0.5, 0.1, 0, 1], [0, 0.5, 0.1, 1], [0.1, 0, 0.5, 1]])
    let right = try rows([[1, 0, 0, 0.4], [0, 1, 0, 0.4], [0, 0, 1, 0.4], [0.4, 0.4, 0.4, 1]])
    func rights(_ scoring: BitextMining.Scoring) throws -> [Int] {
      try BitextMining(scoring: scoring, retrieval: .forward, neighbours: 3).pairs(left, right)
        .sorted { $0.left < $1.left }.map(\.right)
    }
    #expect(try rights(.absolute) == [3, 3, 3])
    #expect(try rights(.ratio) == [0, 1, 2])
    #expect(try rights(.distance) == [0, 1, 2])
  }

  @Test func theBestThresholdIsThatOfTheGreatestF1() throws {
    let pairs: [BitextMining.Pair] = [
      .init(left: 0, right: 0, score: 3), .init(left: 1, right: 1, score: 2),
      .init(left: 2, right: 9, score: 1), .init(left: 3, right: 3, score: 1),
    ]
    let best = try #require(
      BitextMining.threshold(of: pairs, known: [0, 1, 3, 4].map { (left: $0, right: $0) })
    )
    // All four: precision ¾, recall ¾.
    #expect(best.threshold == 1)
    #expect(abs(best.f1 - 0.75) < 1e-12)
    #expect(BitextMining.threshold(of: pairs, known: [(left: 7, right: 7)]) == nil)
  }

  @Test func emptyAndUnlikeTextsAreNoPairsOrAnError() throws {
    let some = try rows([[1, 0]])
    #expect(try BitextMining().pairs(some, .zeros([0, 2])) == [])
    #expect(try BitextMining().pairs(some, some).map(\.left) == [0])
    #expect(throws: RetrievalError.self) { try BitextMining().pairs(some, rows([[1, 0, 0]])) }
    // Not one product is made of so many.
    let many = try Tensor.zeros([BitextMining.mostTexts + 1, 2], dtype: .float32)
    do {
      _ = try BitextMining().pairs(many, some)
      Issue.record("too many texts were compared")
    } catch let error as RetrievalError {
      #expect(error.message == "2000001 texts are more than 2000000: mine them in parts")
    }
  }
}
