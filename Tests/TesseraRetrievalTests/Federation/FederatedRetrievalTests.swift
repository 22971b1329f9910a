import Synchronization
import SystemPackage
import TesseraCore
import TesseraFederation
import TesseraNN
import TesseraRetrieval
import TesseraRetrievalFederation
import TesseraTesting
import Testing

/// Training where the texts of each family of languages lie at a site of their own.
@Suite struct FederatedRetrievalTests {
  /// Colours in two shades, with English names; their names in four other languages beside the English.
  static let names = [
    "en": ["red", "green", "blue", "black", "white", "grey"],
    "fr": ["rouge", "vert", "bleu", "noir", "blanc", "gris"],
    "it": ["rosso", "verde", "blu", "nero", "bianco", "grigio"],
    "eu": ["gorri", "berde", "urdin", "beltz", "zuri", "gris"],
    "nl": ["rood", "groen", "blauw", "zwart", "wit", "grijs"],
  ]

  /// What was told.
  final class Steps: Sendable {
    let all = Mutex<[RetrievalTraining.Step]>([])
  }

  static func dataset() throws -> RetrievalDataset {
    let colors = RetrievalTrainingTests.colors
    let pixels = colors.flatMap { color in
      [0, 5].flatMap { shade in
        color.flatMap { [UInt8](repeating: $0 - min($0, UInt8(shade)), count: 64) }
      }
    }
    let others = names.keys.filter { $0 != "en" }.sorted()
    return try RetrievalDataset(
      description: DatasetDescription(
        name: "colours",
        pictureSize: 8,
        languages: .init(wellResourced: ["en"], underResourced: others)
      ),
      concepts: (0..<6).map { Concept(id: "\($0)", split: .train) },
      pictures: (0..<12).map { Picture(concept: $0 / 2, artist: "a", split: .train) },
      pixels: Tensor(pixels, shape: [12, 3, 8, 8]),
      captions: names.sorted { $0.key < $1.key }.flatMap { language, names in
        names.enumerated().map {
          Caption(language: language, concept: $0.offset, kind: .name, text: $0.element)
        }
      },
      pairs: others.flatMap { language in
        zip(names["en"] ?? [], names[language] ?? []).enumerated().map {
          TextPair(
            language: language,
            source: "test",
            left: $0.element.0,
            right: $0.element.1,
            concept: $0.offset
          )
        }
      }
    )
  }

  static func beginning(
    steps: Int = 60,
    dataset: RetrievalDataset? = nil
  ) throws -> RetrievalExperiment.Beginning {
    var configuration = RetrievalTraining.Configuration()
    configuration.steps = steps
    configuration.warmup = 5
    configuration.pictures = 8
    configuration.translations = 6
    configuration.learningRate = 5e-3
    configuration.optimizer = .adamW
    configuration.augmentation = .none
    let tokenizer = CharacterNGrams(buckets: 500)
    return try RetrievalExperiment.Beginning(
      model: DualEncoder(
        RetrievalTrainingTests.small,
        vocabulary: tokenizer.count,
        using: Generator(seed: 3)
      ),
      tokenizer: tokenizer,
      dataset: dataset ?? self.dataset(),
      configuration: configuration,
      federation: .init(localSteps: 5)
    )
  }

  @Test func eachFamilyHasASiteAndWhatHasNoRelativeSharesOne() throws {
    let dataset = try Self.dataset()
    let families = LanguageSites(of: dataset, .byLanguageFamily).sites
    #expect(families.map(\.name) == ["Germanic", "Romance", LanguageSites.single])
    #expect(families.map(\.languages) == [["en", "nl"], ["fr", "it"], ["eu"]])
    let single = LanguageSites(of: dataset, .byLanguage).sites
    #expect(single.map(\.name) == ["en", "eu", "fr", "it", "nl"])
  }

  /// The only site that has ever seen a picture knows neither French nor Basque.
  @Test func languagesOfSitesWithoutPicturesFindThem() async throws {
    let training = try FederatedRetrieval(Self.beginning(), lanes: 2)
    #expect(training.sites.map(\.exampleCount) == [12 + 6, 12, 6])
    let steps = Steps()
    let loss = try await training.advance(to: 60) { step in steps.all.withLock { $0.append(step) } }
    #expect(loss > 0 && training.stepsDone == 60)
    let told = steps.all.withLock { $0 }
    #expect(told.map(\.number) == Array(stride(from: 5, through: 60, by: 5)))
    #expect(try #require(told.last).loss < #require(told.first).loss)
    #expect(told.allSatisfy { $0.pictureLoss != nil && $0.translationLoss != nil })
    let model = training.model
    model.setMode(.evaluation)
    let dataset = try Self.dataset()
    for language in ["fr", "it", "eu", "nl"] {
      let words = try #require(Self.names[language])
      let score = try withoutGradient {
        try RetrievalScore(
          pictures: model.pictures(dataset.pixels.to(.float32) * (1.0 / 255)),
          texts: model.texts(CharacterNGrams(buckets: 500).batch(words)),
          pictureSubjects: (0..<12).map { $0 / 2 },
          textSubjects: Array(0..<6),
          words: words
        )
      }
      #expect(score.textToPicture.at1 >= 5.0 / 6, "\(language)")
    }
  }

  /// The same bits from any number of sites at a time, and after a checkpoint.
  @Test func neitherLanesNorACheckpointChangeABit() async throws {
    func finish(_ training: FederatedRetrieval, to end: Int) async throws -> ModelState {
      _ = try await training.advance(to: end) { _ in }
      return try training.model.state()
    }
    let whole = try await finish(FederatedRetrieval(Self.beginning(steps: 20), lanes: 1), to: 20)
    let begun = try FederatedRetrieval(Self.beginning(steps: 20), lanes: 3)
    _ = try await finish(begun, to: 10)
    let folder = try TemporaryFolder()
    try begun.write(to: folder.path.appending("state.safetensors"))
    let resumed = try FederatedRetrieval(Self.beginning(steps: 20), lanes: 2)
    try resumed.load(contentsOf: folder.path.appending("state.safetensors"))
    #expect(resumed.stepsDone == 10)
    #expect(try await finish(resumed, to: 20).isIdentical(to: whole))
  }

  /// What no picture has trained is not averaged into what pictures have.
  @Test func aSiteLeavesOutWhatItsTextsSayNothingAbout() async throws {
    let beginning = try Self.beginning()
    let sites = LanguageSites(of: beginning.dataset, .byLanguageFamily).sites
    let executor = try RetrievalExecutor(
      model: beginning.model.configuration,
      tokenizer: beginning.tokenizer,
      examples: RetrievalExamples.parts(
        of: beginning.dataset,
        languages: sites.map(\.languages)
      ),
      configuration: beginning.configuration,
      localSteps: 2
    )
    let state = try beginning.model.state()
    func answer(_ index: Int, _ name: TaskName = .train) async throws -> Exchange {
      let site = Site(index: index, name: "site", exampleCount: 6)
      let task = SiteTask(
        name: name,
        site: site,
        data: .weights(state),
        key: RandomKey(seed: 1)
      )
      return try await executor.execute(task, at: SiteContext(site: site))
    }
    let whole = try await answer(0)
    #expect(whole.metadata.excluded.isEmpty && whole.tensors.names == state.names)
    let texts = try await answer(2)
    #expect(Set(texts.tensors.names + texts.metadata.excluded) == Set(state.names))
    #expect(
      texts.metadata.excluded.allSatisfy {
        $0.hasPrefix("image") || $0 == "pictureScale"
      }
    )
    #expect(texts.metadata.excluded.count > 5)
    #expect(texts.metrics["picture loss"] == nil)
    #expect(try await answer(0, .submitModel).returnCode == .unknownTask)
    await #expect(throws: FederationError.self) { try await answer(3) }
  }

  @Test func anExperimentNeedsAFederationAndWholeRounds() throws {
    var plan = RetrievalPlan(systems: [.federated])
    plan.training.steps = 100
    plan.checkpointEvery = 50
    let dataset = try Self.dataset()
    #expect(throws: RetrievalError.self) { try RetrievalExperiment(plan, dataset) }
    _ = try RetrievalExperiment(plan, dataset) { try FederatedRetrieval($0) }
    plan.checkpointEvery = 60
    let error = #expect(throws: RetrievalError.self) {
      try RetrievalExperiment(plan, dataset) { try FederatedRetrieval($0) }
    }
    #expect(error?.message.contains("'local_steps', 25") == true)
  }
}
