import SystemPackage
import TesseraCore
import TesseraNN
import TesseraRetrieval
import TesseraTesting
import Testing

/// The text encoder, with real weights and with random ones.
@Suite struct BERTTests {
  @Test func realWeightsGiveTheVectorsOfSentenceTransformers() throws {
    let folder = try MiniLM.folder()
    let configuration = try BERTConfiguration(contentsOf: folder.appending("config.json"))
    let encoder = try BERT(configuration, using: Generator(seed: 1))
    try encoder.load(huggingFace: folder.appending("model.safetensors"))
    encoder.setMode(.evaluation)
    let tokenizer = try WordPiece(contentsOf: folder.appending("vocab.txt"))
    let expected = try SafeTensors(contentsOf: MiniLM.fixtures.appending("minilm.safetensors"))
    let texts = try MiniLM.texts()
    let reference = try expected.tensor("vectors")
    #expect(reference.shape == [texts.count, 384])
    let (tokens, mask) = try tokenizer.batch(texts, atMost: 256).padded()
    let vectors = try TextPooling.mean(encoder(tokens, mask: mask), mask: mask).normalizedRows()
    expectClose(vectors, reference, absolute: 1e-4, relative: 0)
  }

  @Test func aTextDoesNotSeeTheOthersOfItsBatch() throws {
    let encoder = try BERT(.tiny(vocabulary: 50), using: Generator(seed: 2))
    encoder.setMode(.evaluation)
    let rows = [[2, 7, 8, 3], [2, 9, 3], [2, 3]]
    let (tokens, mask) = try TokenBatch(rows, padding: 0).padded()
    for pooling in TextPooling.allCases {
      let together = try pooling(encoder(tokens, mask: mask), mask: mask)
      for (index, row) in rows.enumerated() {
        let (alone, aloneMask) = try TokenBatch([row], padding: 0).padded()
        expectClose(
          try together.slices(in: index..<index + 1),
          try pooling(encoder(alone, mask: aloneMask), mask: aloneMask),
          absolute: 1e-5
        )
      }
    }
  }

  @Test func parametersAreAsManyAsPublished() throws {
    // Without the pooler, width² + width, which only BERT's own pre-training has.
    let published: [(BERTConfiguration, Int)] = [
      (.tiny(vocabulary: 30_522), 4_385_920 - 128 * 129),
      (.mini(vocabulary: 30_522), 11_170_560 - 256 * 257),
      (.small(vocabulary: 30_522), 28_763_648 - 512 * 513),
      (.medium(vocabulary: 30_522), 41_373_184 - 512 * 513),
      (.base(vocabulary: 30_522), 109_482_240 - 768 * 769),
      (.large(vocabulary: 30_522), 335_141_888 - 1024 * 1025),
    ]
    for (configuration, count) in published {
      let encoder = try BERT(configuration, using: Generator(seed: 3))
      #expect(encoder.parameterCount == count)
    }
  }

  @Test func everyParameterIsTrained() throws {
    let encoder = try BERT(
      BERTConfiguration(vocabulary: 12, width: 8, layers: 2, heads: 2, positions: 6, types: 1),
      using: Generator(seed: 4)
    )
    let (tokens, mask) = try TokenBatch([[2, 5, 6, 3], [2, 7, 3]], padding: 0).padded()
    let vectors = try TextPooling.first(encoder(tokens, mask: mask), mask: mask)
    let weights = try Tensor.normal([2, 8], using: Generator(seed: 5))
    let loss = try (vectors * weights).sum()
    let gradients = try loss.gradients(for: encoder.parameters)
    for (parameter, gradient) in zip(encoder.namedParameters, gradients) {
      #expect(try gradient.isFinite().all().to(.float32).item() == 1)
      #expect(try abs(gradient).sum().item() > 0, "\(parameter.name)")
    }
  }

  @Test func whatDoesNotFitIsAnErrorThatNamesIt() throws {
    let encoder = try BERT(
      BERTConfiguration(vocabulary: 12, width: 8, layers: 1, heads: 2, positions: 4),
      using: Generator(seed: 5)
    )
    func message(_ body: () throws -> Void) -> String {
      do { try body() } catch { return "\(error)" }
      return ""
    }
    let long = try TokenBatch([[2, 4, 4, 4, 3]], padding: 0).padded()
    #expect(
      message { _ = try encoder(long.tokens, mask: long.mask) }.contains(
        "5 tokens has no room in 4 positions"
      )
    )
    let unknown = try TokenBatch([[2, 99, 3]], padding: 0).padded()
    #expect(throws: TensorError.self) { try encoder(unknown.tokens, mask: unknown.mask) }
    #expect(throws: TensorError.self) {
      try BERT(
        BERTConfiguration(vocabulary: 12, width: 9, layers: 1, heads: 2),
        using: Generator(seed: 6)
      )
    }
    let folder = try TemporaryFolder()
    let other = try MiniLM.folder().appending("model.safetensors")
    #expect(message { try encoder.load(huggingFace: other) }.contains("tokens.weight"))
    let configuration = try folder.file("config.json", Array(#"{"vocab_size": 5}"#.utf8))
    #expect(
      message { _ = try BERTConfiguration(contentsOf: configuration) }
        .contains("'hidden_size' is missing")
    )
    let roberta = try folder.file("other.json", Array(#"{"model_type": "roberta"}"#.utf8))
    #expect(throws: RetrievalError.self) { try BERTConfiguration(contentsOf: roberta) }
  }
}
