import SystemPackage
import TesseraCore
import TesseraRetrieval
import Testing

/// Recall as CLIP_benchmark and big_vision measure it: Fixtures/make_retrieval_metrics.py.
@Suite struct PeerMetricTests {
  private let golden: SafeTensors

  init() throws {
    golden = try SafeTensors(
      contentsOf: MiniLM.fixtures.appending("retrieval_metrics.safetensors")
    )
  }

  @Test(arguments: ["single", "several", "scarce"], ["clip_benchmark", "big_vision"])
  func recallIsThatOfPeers(_ collection: String, _ peer: String) throws {
    let texts = try golden.tensor("\(collection).texts")
    let pictures = try golden.tensor("\(collection).pictures")
    let pictureOf = try golden.tensor("\(collection).picture_of").array(of: Int64.self)
    let score = try RetrievalScore(
      pictures: pictures,
      texts: texts,
      pictureSubjects: Array(0..<pictures.shape[0]),
      textSubjects: pictureOf.map { Int($0) },
      words: pictureOf.indices.map { "text \($0)" }
    )
    let expected = try golden.tensor("\(collection).\(peer)").array(of: Double.self)
    let own = [score.textToPicture, score.pictureToText].flatMap { [$0.at1, $0.at5, $0.at10] }
    // CLIP_benchmark's means are of 32 bits.
    for (own, other) in zip(own, expected) { #expect(abs(own - other) < 1e-6) }
    #expect(abs(score.meanRecall - expected.reduce(0, +) / 6) < 1e-6)
  }

  @Test(arguments: 0..<4) func bigVisionsExamplesGiveWhatItExpects(_ number: Int) throws {
    let distances = try golden.tensor("example.\(number).distances")
    let asksTexts =
      try golden.tensor("example.\(number).to_texts").reshaped(to: []).itemAsInteger() == 1
    let similarities = try distances * -1
    let rankings =
      try asksTexts
      ? Ranking.all(similarities, relevant: (0..<4).map { [2 * $0, 2 * $0 + 1] })
      : Ranking.all(similarities.transposed(), relevant: (0..<8).map { [$0 / 2] })
    let expected = try golden.tensor("example.\(number).expected").array(of: Double.self)
    for (limit, expected) in zip([1, 5, 10], expected) {
      let hits = rankings.count { $0.isHit(within: limit) }
      #expect(Double(hits) / Double(rankings.count) == expected, "within \(limit)")
    }
  }
}
