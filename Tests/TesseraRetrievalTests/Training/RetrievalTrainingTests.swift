import TesseraCore
import TesseraNN
import TesseraRetrieval
import TesseraTesting
import Testing

/// Training on both tasks.
@Suite struct RetrievalTrainingTests {
  static let words = ["red", "green", "blue", "black", "white", "grey"]
  static let others = ["rouge", "vert", "bleu", "noir", "blanc", "gris"]
  static let colors: [[UInt8]] = [
    [250, 10, 10], [10, 240, 10], [10, 10, 250], [5, 5, 5], [250, 250, 250], [120, 120, 120],
  ]

  /// Each colour in two shades, with its English name; French only beside English.
  static func examples() throws -> RetrievalExamples {
    let pixels = colors.flatMap { color in
      [0, 5].flatMap { shade in
        color.flatMap { [UInt8](repeating: $0 - min($0, UInt8(shade)), count: 64) }
      }
    }
    return try RetrievalExamples(
      pixels: Tensor(pixels, shape: [12, 3, 8, 8]),
      subjects: (0..<12).map { $0 / 2 },
      captions: (0..<12).map { [$0 / 2] },
      texts: words + others,
      translations: [(0..<6).map { .init(left: $0, right: $0 + 6) }]
    )
  }

  static let small = DualEncoderConfiguration(
    name: "test",
    image: .init(.residual(widths: [8, 16], depth: 1), resolution: 8),
    text: .init(.bag(width: 32, layers: 1), limit: 32, dropout: 0.1),
    dimension: 16
  )

  static func training(
    dropout: Double = 0.1,
    replicas: ReplicaGroup? = nil,
    _ change: (inout RetrievalTraining.Configuration) -> Void = { _ in }
  ) throws -> RetrievalTraining {
    var configuration = RetrievalTraining.Configuration()
    configuration.steps = 60
    configuration.warmup = 5
    configuration.pictures = 8
    configuration.translations = 6
    configuration.learningRate = 0.02
    configuration.augmentation = .none
    change(&configuration)
    let tokenizer = CharacterNGrams(buckets: 500)
    let generator = try Generator(key: RandomKey(seed: configuration.seed)["weights"])
    var small = small
    small.text.dropout = dropout
    let model = try DualEncoder(small, vocabulary: tokenizer.count, using: generator)
    return try RetrievalTraining(
      model,
      tokenizer,
      examples(),
      configuration,
      generator: generator,
      replicas: replicas
    )
  }

  static func score(_ training: RetrievalTraining, _ words: [String]) throws -> Double {
    let model = training.model
    model.setMode(.evaluation)
    defer { model.setMode(.training) }
    let examples = try examples()
    return try withoutGradient {
      try RetrievalScore(
        pictures: model.pictures(examples.pixels.to(.float32) * (1.0 / 255)),
        texts: model.texts(CharacterNGrams(buckets: 500).batch(words)),
        pictureSubjects: examples.subjects,
        textSubjects: Array(0..<6),
        words: words
      ).textToPicture.at1
    }
  }

  /// What MURAL claims, in small: a language that no picture is labelled in learns by its translations.
  @Test func translationsBringPicturesToALanguageWithoutAny() throws {
    let mural = try Self.training()
    var first: RetrievalTraining.Step?
    var last: RetrievalTraining.Step?
    while mural.stepsDone < mural.configuration.steps {
      last = try mural.step()
      first = first ?? last
    }
    #expect(try #require(last).loss < #require(first).loss)
    #expect(try #require(last?.learningRate) < 0.001)
    #expect(try Self.score(mural, Self.words) == 1)
    #expect(try Self.score(mural, Self.others) == 1)
    let align = try Self.training { $0.translations = 0 }
    while align.stepsDone < align.configuration.steps {
      #expect(try align.step().translationLoss == nil)
    }
    #expect(try Self.score(align, Self.words) == 1)
    #expect(try Self.score(align, Self.others) < 1)
  }

  @Test func aTrainingThatGoesOnGivesTheSameBits() throws {
    let whole = try Self.training { $0.augmentation = .strong }
    for _ in 0..<6 { _ = try whole.step() }
    let begun = try Self.training { $0.augmentation = .strong }
    for _ in 0..<3 { _ = try begun.step() }
    let resumed = try Self.training { $0.augmentation = .strong }
    try resumed.load(begun.state())
    #expect(resumed.stepsDone == 3)
    for _ in 0..<3 { _ = try resumed.step() }
    #expect(try resumed.state().isIdentical(to: whole.state()))
    let other = try Self.training {
      $0.augmentation = .strong
      $0.seed = 2
    }
    for _ in 0..<6 { _ = try other.step() }
    #expect(try !other.state().isIdentical(to: whole.state()))
  }

  /// Without what depends on a part's company (batch statistics) the cache is exact up to rounding.
  @Test(arguments: [1, 3, 5, 100]) func aGradientCacheChangesNothing(chunk: Int) throws {
    func step(_ chunk: Int?) throws -> (loss: Double, norm: Double, state: ModelState) {
      let training = try Self.training {
        $0.chunk = chunk
        $0.gradientNorm = nil
        $0.optimizer = .adamW
        $0.learningRate = 1e-3
        $0.warmup = 0
      }
      // What is drawn differs by the order of parts; averages of batches by their parts.
      for module in [training.model.textTower as any Module] { Self.setMode(module, .evaluation) }
      Self.setMode(training.model.imageTower, .evaluation)
      let step = try training.step()
      return (step.loss, try #require(step.gradientNorm), try training.state())
    }
    let whole = try step(nil)
    let parts = try step(chunk)
    #expect(abs(whole.loss - parts.loss) < 1e-5)
    #expect(abs(whole.norm - parts.norm) < 1e-4 * whole.norm)
    // After one step the means that AdamW keeps are a tenth of the gradients, signs and places included.
    let means = whole.state.names.filter { $0.hasPrefix("optimizer.") && $0.contains("mean") }
    #expect(means.count > 10)
    for name in means {
      let (one, other) = (try #require(whole.state[name]), try #require(parts.state[name]))
      let gap = try (one - other).largestMagnitude()
      #expect(gap <= 1e-4 * max(1e-3, try one.largestMagnitude()), "\(name)")
    }
  }

  private static func setMode(_ module: any Module, _ mode: Mode) { module.setMode(mode) }

  /// The same draws both times: a cache whose second pass dropped other elements would not go downhill.
  @Test func aGradientCacheLearnsWithDropout() throws {
    let training = try Self.training { $0.chunk = 4 }
    while training.stepsDone < training.configuration.steps { _ = try training.step() }
    #expect(try Self.score(training, Self.words) >= 5.0 / 6)
  }

  @Test func aTemperatureDoesNotFallBelowOneHundredthAndComesBack() throws {
    let training = try Self.training { $0.warmup = 0 }
    try training.model.pictureScale.assign(Tensor(20.0).to(.float32))
    _ = try training.step()
    let lowest = try training.model.pictureTemperature().item()
    #expect(lowest >= 0.01 - 1e-6)
    // Almost all is wrong at first: a higher temperature is better, and nothing holds it at its limit.
    for _ in 0..<5 { _ = try training.step() }
    #expect(try training.model.pictureTemperature().item() > lowest)
  }

  @Test func bfloat16TrainsToo() throws {
    let training = try Self.training { $0.precision = .bfloat16 }
    while training.stepsDone < training.configuration.steps { _ = try training.step() }
    #expect(try Self.score(training, Self.words) >= 5.0 / 6)
  }

  @Test func settingsThatCannotBeAreNamed() throws {
    func message(_ change: (inout RetrievalTraining.Configuration) -> Void) -> String {
      do { _ = try Self.training(change) } catch { return "\(error)" }
      return ""
    }
    #expect(message { $0.steps = 0 }.contains("'steps'"))
    #expect(message { $0.pictures = 1 }.contains("'pictures'"))
    #expect(message { $0.translations = 1 }.contains("'translations'"))
    #expect(message { $0.learningRate = .nan }.contains("'learning rate'"))
    #expect(message { $0.smoothing = 1 }.contains("'smoothing'"))
    #expect(message { $0.warmup = 61 }.contains("'warmup'"))
    let diverging = try Self.training {
      $0.learningRate = 10
      $0.optimizer = .adamW
      $0.gradientNorm = nil
      $0.warmup = 0
    }
    try diverging.model.textProjection.weight.assign(.full(.infinity, shape: [16, 32]))
    let before = try ModelState(
      diverging.model.state().entries.map { (name: $0.name, tensor: try $0.tensor.copied()) }
    )
    let error = #expect(throws: RetrievalError.self) { try diverging.step() }
    #expect(try diverging.model.state().isIdentical(to: before))
    #expect(error?.code == .diverged)
    #expect(diverging.stepsDone == 0)
  }
}
