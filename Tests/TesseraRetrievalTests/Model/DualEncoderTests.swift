import Foundation
import SystemPackage
import TesseraCore
import TesseraNN
import TesseraRetrieval
import TesseraTesting
import Testing

/// The model of two towers.
@Suite struct DualEncoderTests {
  @Test(arguments: [DualEncoderConfiguration.mini, .small])
  func vectorsAreOfLengthOneAndTrainEveryParameter(_ preset: DualEncoderConfiguration) throws {
    var configuration = preset
    configuration.heads = .perTask
    let model = try DualEncoder(configuration, vocabulary: 50, using: Generator(seed: 1))
    let size = configuration.image.resolution
    let pixels = try Tensor.uniform([3, 3, size, size], using: Generator(seed: 2))
    let texts = TokenBatch([[2, 5, 6, 3], [2, 7, 3], [2, 8, 9, 10, 3]], padding: 0)
    let pictures = try model.pictures(pixels)
    let features = try model.textTower(texts)
    let captions = try model.captions(features: features)
    let translations = try model.translations(features: features)
    for vectors in [pictures, captions, translations] {
      #expect(vectors.shape == [3, configuration.dimension])
      expectClose(try vectors.norm(along: 1), try .ones([3]), absolute: 1e-5)
    }
    let loss = try contrastive(pictures, captions, temperature: model.pictureTemperature())
    let other = try contrastive(
      captions,
      translations,
      temperature: model.translationTemperature()
    )
    let gradients = try (loss + other).gradients(for: model.parameters)
    for (parameter, gradient) in zip(model.namedParameters, gradients) {
      #expect(try gradient.isFinite().all().to(.float32).item() == 1, "\(parameter.name)")
      #expect(try abs(gradient).sum().item() > 0, "\(parameter.name)")
    }
  }

  @Test func textsAreReadTheSameInAnyCompany() throws {
    let model = try DualEncoder(.small, vocabulary: 90, using: Generator(seed: 1))
    model.setMode(.evaluation)
    var numbers = KeyedRandomNumbers(key: RandomKey(seed: 9))
    // Enough of different lengths for several groups.
    let rows = (0..<200).map { row in
      [2] + (0..<row % 29).map { _ in Int.random(in: 4..<90, using: &numbers) } + [3]
    }
    let together = try model.texts(TokenBatch(rows, padding: 0))
    for row in [0, 1, 28, 57, 130, 199] {
      let alone = try model.texts(TokenBatch([rows[row]], padding: 0))
      expectClose(try together.slices(in: row..<row + 1), alone, absolute: 1e-5)
    }
  }

  @Test func eachTaskHasATemperatureOfItsOwn() throws {
    var configuration = DualEncoderConfiguration.mini
    configuration.temperature = 0.5
    let model = try DualEncoder(configuration, vocabulary: 50, using: Generator(seed: 1))
    #expect(abs(try model.pictureTemperature().item() - 0.5) < 1e-6)
    try model.pictureScale.assign(Tensor(1.0).to(.float32))
    #expect(abs(try model.pictureTemperature().item() - 0.3678794) < 1e-6)
    #expect(abs(try model.translationTemperature().item() - 0.5) < 1e-6)
  }

  @Test func aConfigurationKeepsItsFormAndRefusesWhatCannotBe() throws {
    for preset in DualEncoderConfiguration.presets {
      let data = try JSONEncoder().encode(preset)
      #expect(try JSONDecoder().decode(DualEncoderConfiguration.self, from: data) == preset)
    }
    var wrong = DualEncoderConfiguration.mini
    wrong.dimension = 0
    let error = #expect(throws: RetrievalError.self) {
      try DualEncoder(wrong, vocabulary: 5, using: Generator(seed: 1))
    }
    #expect(error?.message.contains("'dimension'") == true)
  }
}

/// The presets with published towers, whole.
@Suite(.serialized) struct PresetTests {
  /// A preset, and what is published of its towers.
  struct Published: Sendable, CustomTestStringConvertible {
    var preset: DualEncoderConfiguration
    /// EfficientNet, with its classifier of 1,000 classes (Tan and Le, 2019, as torchvision counts them).
    var efficientNet: Int
    /// The channels of its last stage, and of the convolution after it.
    var channels: (last: Int, top: Int)
    /// BERT with 30,522 tokens, 512 positions, two types, and a pooler (Devlin et al., 2019; Turc et al., 2019).
    var bert: Int
    var width: Int

    var testDescription: String { preset.name }

    /// Without convolution, norm and classifier behind the last stage.
    var image: Int {
      efficientNet - (channels.last + 2) * channels.top - (channels.top + 1) * 1000
    }

    /// With other tokens and positions, one type, and without the pooler.
    func text(tokens: Int) -> Int {
      let rows = (30_522 - tokens) + (512 - preset.text.limit) + 1
      return bert - rows * width - (width + 1) * width
    }
  }

  static let small = Published(
    preset: .small,
    efficientNet: 5_288_548,
    channels: (320, 1280),
    bert: 11_170_560,
    width: 256
  )
  static let base = Published(
    preset: .base,
    efficientNet: 30_389_784,
    channels: (512, 2048),
    bert: 109_482_240,
    width: 768
  )
  static let large = Published(
    preset: .large,
    efficientNet: 66_347_960,
    channels: (640, 2560),
    bert: 335_141_888,
    width: 1024
  )

  /// Built, run forward and backward, saved and loaded; with small pictures and few tokens, for the time that it takes.
  @Test(arguments: [small, base, large])
  func presetsAreAsLargeAsPublishedAndTrain(_ published: Published) throws {
    var configuration = published.preset
    configuration.image.resolution = 64
    let words = WordPiece(
      try Vocabulary(["[PAD]", "[UNK]", "[CLS]", "[SEP]"] + (0..<996).map { "word\($0)" })
    )
    let encoder = try DualEncoder(
      configuration,
      vocabulary: words.count,
      using: Generator(seed: 1)
    )
    let (image, text) = (encoder.imageTower.parameterCount, encoder.textTower.parameterCount)
    #expect(image == published.image)
    #expect(text == published.text(tokens: 1000))
    let dimension = configuration.dimension
    // B7's features are the space itself.
    let features = encoder.imageTower.features
    #expect(features == published.channels.last)
    let projection = features == dimension ? 0 : (features + 1) * dimension
    #expect(
      encoder.parameterCount == image + text + projection + (published.width + 1) * dimension + 2
    )

    let pixels = try Tensor.uniform([2, 3, 64, 64], using: Generator(seed: 2))
    let texts = words.batch(["word1 word2", "word3 word4 word5"], atMost: configuration.text.limit)
    let loss = try contrastive(
      encoder.pictures(pixels),
      encoder.texts(texts),
      temperature: encoder.pictureTemperature()
    )
    let gradients = try loss.gradients(for: encoder.parameters)
    var trained = 0
    for (parameter, gradient) in zip(encoder.namedParameters, gradients) {
      let size = try abs(gradient).sum().item()
      #expect(size.isFinite, "\(parameter.name)")
      if size > 0 { trained += 1 }
    }
    // But for blocks that this step leaves out, and the temperature of translations.
    #expect(Double(trained) > 0.7 * Double(gradients.count))

    let folder = try TemporaryFolder()
    let model = try RetrievalModel(encoder, words, .wordPiece(words.cleaning))
    try model.write(to: folder.path)
    let again = try RetrievalModel(contentsOf: folder.path)
    #expect(again.digest == model.digest)
    #expect(again.encoder.configuration == configuration)
    let queries = ["word7", "word8 word9"]
    let vectors = try model.vectors(ofTexts: queries)
    #expect(try again.vectors(ofTexts: queries).isIdentical(to: vectors))
    let bytes = try (pixels * 255).to(.uint8)
    #expect(
      try again.vectors(ofPictures: bytes).isIdentical(to: model.vectors(ofPictures: bytes))
    )
  }
}
