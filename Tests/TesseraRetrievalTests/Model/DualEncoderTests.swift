import Foundation
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

  @Test func presetsAreAsLargeAsTheirTowers() throws {
    // B5 without its last convolution and classifier, BERT-base without its pooler and with one type, and the projections.
    let base = DualEncoderConfiguration.base
    #expect(base.dimension == 640)
    let model = try DualEncoder(.small, vocabulary: 30_522, using: Generator(seed: 1))
    let bert = 11_170_560 - 256 * 257 - 256 - (512 - 32) * 256
    let image = model.imageTower.parameterCount
    #expect(model.textTower.parameterCount == bert)
    #expect(model.parameterCount == bert + image + (320 * 256 + 256) + (256 * 256 + 256) + 2)
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
