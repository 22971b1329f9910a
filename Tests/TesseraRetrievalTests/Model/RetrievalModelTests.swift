import Foundation
import SystemPackage
import TesseraCore
import TesseraNN
import TesseraRetrieval
import TesseraTesting
import Testing

/// A model's folder.
@Suite struct RetrievalModelTests {
  private static let tiny = DualEncoderConfiguration(
    name: "tiny",
    image: .init(.residual(widths: [8, 16], depth: 1), resolution: 16),
    text: .init(.bert(width: 16, layers: 1, heads: 2, pooling: .first), limit: 12),
    dimension: 8
  )

  private static func models() throws -> [RetrievalModel] {
    let pieces = try SentencePiece.trained(
      on: (0..<300).map { "bear samovar tea \($0)" },
      pieces: 60
    )
    let words = WordPiece(try Vocabulary(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "bear", "tea"]))
    let grams = CharacterNGrams(buckets: 100, lengths: 2...3)
    var bag = tiny
    bag.text = .init(.bag(width: 16, layers: 1))
    let generator = try Generator(seed: 4)
    func encoder(_ configuration: DualEncoderConfiguration, _ count: Int) throws -> DualEncoder {
      try DualEncoder(configuration, vocabulary: count, using: generator)
    }
    return [
      try RetrievalModel(encoder(tiny, pieces.count), pieces, .sentencePiece),
      try RetrievalModel(encoder(tiny, words.count), words, .wordPiece(words.cleaning)),
      try RetrievalModel(
        encoder(bag, grams.count),
        grams,
        .characterNGrams(buckets: 100, shortest: 2, longest: 3)
      ),
    ]
  }

  /// A model without any training that reads bags of n-grams.
  static func bag() throws -> RetrievalModel { try models()[2] }

  @Test func aFolderKeepsVectorsAndDigest() throws {
    let pixels = try Tensor((0..<5 * 3 * 16 * 16).map { UInt8($0 % 251) }, shape: [5, 3, 16, 16])
    for model in try Self.models() {
      let folder = try TemporaryFolder()
      try model.write(to: folder.path.appending("model"))
      let again = try RetrievalModel(contentsOf: folder.path.appending("model"))
      #expect(again.digest == model.digest)
      let texts = ["bear", "tea bear tea", "", "самовар"]
      let vectors = try model.vectors(ofTexts: texts, batch: 3)
      #expect(vectors.shape == [4, 8])
      #expect(try again.vectors(ofTexts: texts, batch: 3).isIdentical(to: vectors))
      let pictures = try model.vectors(ofPictures: pixels, batch: 2)
      #expect(pictures.shape == [5, 8])
      #expect(try again.vectors(ofPictures: pixels, batch: 2).isIdentical(to: pictures))
      expectClose(pictures, try model.vectors(ofPictures: pixels), absolute: 1e-5)
      #expect(try model.vectors(ofTexts: []).shape == [0, 8])
    }
  }

  @Test func picturesOfAnotherSizeAreResized() throws {
    let model = try Self.models()[0]
    let large = try Tensor.full(90, shape: [1, 3, 40, 40], dtype: .uint8)
    let small = try Tensor.full(90, shape: [1, 3, 16, 16], dtype: .uint8)
    expectClose(
      try model.vectors(ofPictures: large),
      try model.vectors(ofPictures: small),
      absolute: 1e-5
    )
  }

  @Test func whateverVectorsDependOnChangesTheDigest() throws {
    let models = try Self.models()
    #expect(Set(models.map(\.digest)).count == 3)
    let model = models[2]
    try model.encoder.textProjection.weight.assign(.zeros([8, 16]))
    let changed = try RetrievalModel(model.encoder, model.tokenizer, model.tokenizerConfiguration)
    #expect(changed.digest != model.digest)
  }

  @Test func whatIsMissingOrDamagedIsNamed() throws {
    let folder = try TemporaryFolder()
    func message() -> String {
      do { _ = try RetrievalModel(contentsOf: folder.path) } catch { return "\(error)" }
      return ""
    }
    #expect(message().contains("model.json"))
    let model = try Self.models()[0]
    try model.write(to: folder.path)
    #expect(message() == "")
    for file in ["weights.safetensors", "tokenizer.model", "model.json"] {
      let path = folder.path.appending(file)
      let whole = try #require(FileManager.default.contents(atPath: path.string))
      _ = try folder.file(file, Array(whole.prefix(whole.count / 2)))
      #expect(message().contains(file), "\(file): \(message())")
      try FileManager.default.removeItem(atPath: path.string)
      #expect(message().contains(file), "\(file): \(message())")
      _ = try folder.file(file, Array(whole))
    }
    let other = try Self.models()[1]
    try other.write(to: folder.path)
    #expect(message() == "")
  }
}
