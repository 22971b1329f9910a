public import SystemPackage
internal import TesseraConfiguration

/// What is trained on what, and how: the file that `tessera retrieval train` takes.
///
///     data: emoji                    # the benchmark that Tessera builds, or the folder of a data set
///     model: {preset: mural-mini}
///     tokenizer: {type: n-grams, buckets: 32768}
///     training: {steps: 2000, pictures: 128, translations: 512}
///     systems: [align, mural]
///     seeds: [1, 2, 3]
///
/// Every key may be left out.
public struct RetrievalPlan: Sendable, Hashable, Codable {
  /// The data set's folder, or the name of a benchmark that Tessera builds; the emoji benchmark if `nil`.
  public var data: String?
  /// What the model is made of.
  public var model: DualEncoderConfiguration
  /// How its tokenizer is made.
  public var tokenizer: TokenizerPlan
  /// How it is trained; the seed is that of each training.
  public var training: RetrievalTraining.Configuration
  /// What is trained, and compared if it is several.
  public var systems: [System]
  /// One training of each system for each seed.
  public var seeds: [UInt64]
  /// How many steps lie between two checkpoints.
  public var checkpointEvery: Int
  /// How the federated system is trained; as usual if `nil`.
  public var federation: Federation?

  /// How languages are divided among sites, each of which trains with its own.
  public struct Federation: Sendable, Hashable, Codable {
    /// Who holds which languages.
    public var sites: Division
    /// How many steps each site trains in a round.
    public var localSteps: Int

    /// A federation.
    public init(sites: Division = .byLanguageFamily, localSteps: Int = 25) {
      self.sites = sites
      self.localSteps = localSteps
    }

    /// Who holds which languages.
    public enum Division: String, Sendable, Hashable, Codable, CaseIterable {
      /// A site for each family of languages; one for all that have no relative in the data set.
      case byLanguageFamily = "by-language-family"
      /// A site for each language.
      case byLanguage = "by-language"
    }
  }

  /// What is trained.
  public enum System: String, Sendable, Hashable, Codable, CaseIterable {
    /// Pictures and texts alone (Jia et al., 2021).
    case align
    /// These, and translations (Jain et al., 2021).
    case mural
    /// Translations alone, as LaBSE (Feng et al., 2022): for the map of languages.
    case text
    /// As `mural`, but each site trains with its own languages, and sends what it has learnt (McMahan et al., 2017).
    case federated

    /// What reports call it.
    public var title: String {
      switch self {
      case .align: "ALIGN-style"
      case .mural: "MURAL-style"
      case .text: "text only"
      case .federated: "federated MURAL"
      }
    }
  }

  /// How a tokenizer is made.
  public enum TokenizerPlan: Sendable, Hashable, Codable {
    /// ``CharacterNGrams``.
    case characterNGrams(buckets: Int, shortest: Int, longest: Int)
    /// ``WordPiece`` with the vocabulary of a file.
    case wordPiece(vocabulary: String, cleaning: TextCleaning)
    /// ``SentencePiece``, learnt from the data set's texts for training.
    case sentencePiece(pieces: Int)
  }

  /// A plan.
  public init(
    data: String? = nil,
    model: DualEncoderConfiguration = .mini,
    tokenizer: TokenizerPlan = .characterNGrams(buckets: 32_768, shortest: 2, longest: 4),
    training: RetrievalTraining.Configuration = .init(),
    systems: [System] = [.mural],
    seeds: [UInt64] = [1],
    checkpointEvery: Int = 500,
    federation: Federation? = nil
  ) {
    self.data = data
    self.model = model
    self.tokenizer = tokenizer
    self.training = training
    self.systems = systems
    self.seeds = seeds
    self.checkpointEvery = checkpointEvery
    self.federation = federation
  }

  /// Reads a file.
  ///
  /// - Throws: `ConfigurationError` with file, line and the nearest known key of everything that is wrong.
  public init(contentsOf path: FilePath) throws {
    self = try ConfigurationFile(contentsOf: path).decode(RetrievalPlan.init)
  }

  /// Reads a file's keys.
  init(_ file: Mapping) throws {
    data = try file.optional(
      "data",
      .text,
      help: "`emoji`, `emoji+names`, or the folder of a data set"
    )
    if data == "emoji" { data = nil }
    model = try file.section("model", help: "what the model is made of", Self.model)
    tokenizer = try file.component(
      "tokenizer",
      from: Self.tokenizers,
      default: Self.isBag(model) ? "n-grams" : "sentencepiece",
      help: "how texts become numbers"
    )
    training = try file.section("training", help: "how it is trained", Self.training)
    systems = try file.optional(
      "systems",
      .list(of: .choice, count: 1...4),
      default: [.mural],
      help: "what is trained, and compared"
    )
    seeds = try file.optional(
      "seeds",
      .list(of: .unsigned, count: 1...100),
      default: [1],
      help: "one training of each system for each"
    )
    checkpointEvery = try file.optional(
      "checkpoint_every",
      .integer(in: 1...1_000_000),
      default: 500,
      help: "how many steps lie between two checkpoints"
    )
    federation = try file.section(
      "federation",
      help: "how the federated system is trained",
      Self.federation
    )
    guard Set(systems).count == systems.count, Set(seeds).count == seeds.count else {
      throw file.error(at: "systems", "no system and no seed can be trained twice")
    }
  }

  private static func federation(_ keys: Mapping) throws -> Federation {
    Federation(
      sites: try keys.optional(
        "sites",
        .choice,
        default: .byLanguageFamily,
        help: "who holds which languages"
      ),
      localSteps: try keys.optional(
        "local_steps",
        .integer(in: 1...100_000),
        default: 25,
        help: "how many steps each site trains in a round"
      )
    )
  }

  private static func isBag(_ model: DualEncoderConfiguration) -> Bool {
    if case .bag = model.text.network { true } else { false }
  }
}

extension RetrievalPlan {
  private static func model(_ keys: Mapping) throws -> DualEncoderConfiguration {
    var model = try keys.optional("preset", .preset, default: .mini, help: "what to start from")
    model.name = try keys.optional("name", .text, default: model.name, help: "what it is called")
    model.dimension = try keys.optional(
      "dimension",
      .integer(in: 1...65_536),
      default: model.dimension,
      help: "how many numbers stand for a picture or a text"
    )
    model.heads = try keys.optional(
      "heads",
      .choice,
      default: model.heads,
      help: "whether translations are compared by a projection of their own"
    )
    model.temperature = try keys.optional(
      "temperature",
      .number(in: 0.01...100),
      default: model.temperature,
      help: "the temperature that training begins with"
    )
    model.image.resolution = try keys.optional(
      "resolution",
      .integer(in: 8...4096),
      default: model.image.resolution,
      help: "height and width of pictures, in pixels"
    )
    if let network = try keys.optional(
      "image",
      .component(from: imageNetworks),
      help: "the part that looks at pictures"
    ) {
      model.image.network = network
    }
    if let network = try keys.optional(
      "text",
      .component(from: textNetworks),
      help: "the part that reads texts"
    ) {
      model.text.network = network
    }
    model.text.limit = try keys.optional(
      "text_limit",
      .integer(in: 2...65_536),
      default: model.text.limit,
      help: "how many tokens of a text are read"
    )
    model.text.dropout = try keys.optional(
      "text_dropout",
      .number(in: 0..<1),
      default: model.text.dropout,
      help: "the share of elements that training drops"
    )
    return model
  }

  private static let tokenizers: Registry<TokenizerPlan> = {
    var registry = Registry<TokenizerPlan>(of: "tokenizer")
    registry.register("n-grams", summary: "Hashed n-grams of characters.") { keys in
      .characterNGrams(
        buckets: try keys.optional(
          "buckets",
          .integer(in: 1...67_108_864),
          default: 32_768,
          help: "how many numbers n-grams are hashed to"
        ),
        shortest: try keys.optional(
          "shortest",
          .integer(in: 1...16),
          default: 2,
          help: "how many characters the shortest have"
        ),
        longest: try keys.optional(
          "longest",
          .integer(in: 1...16),
          default: 4,
          help: "how many characters the longest have"
        )
      )
    }
    registry.register("sentencepiece", summary: "Pieces of words, learnt from the data.") { keys in
      .sentencePiece(
        pieces: try keys.optional(
          "pieces",
          .integer(in: 8...1_000_000),
          default: 16_000,
          help: "how many pieces are learnt"
        )
      )
    }
    registry.register("wordpiece", summary: "Pieces of words, of a `vocab.txt`.") { keys in
      .wordPiece(
        vocabulary: try keys.required("vocabulary", .text, help: "the file"),
        cleaning: TextCleaning(
          lowercases: try keys.optional(
            "lowercases",
            .boolean,
            default: true,
            help: "whether letters become small"
          ),
          stripsAccents: try keys.optional(
            "strips_accents",
            .boolean,
            default: true,
            help: "whether accents are dropped"
          )
        )
      )
    }
    return registry
  }()

  private static let imageNetworks: Registry<DualEncoderConfiguration.Image.Network> = {
    var registry = Registry<DualEncoderConfiguration.Image.Network>(of: "image network")
    registry.register("efficientnet", summary: "EfficientNet (Tan and Le, 2019).") { keys in
      let size = try keys.optional("size", .choice(of: sizes), help: "B0 to B7")
      let width = try keys.optional(
        "width",
        .number(in: 0.1...8),
        default: size?.width ?? 1,
        help: "what B0's channels are multiplied by"
      )
      let depth = try keys.optional(
        "depth",
        .number(in: 0.1...8),
        default: size?.depth ?? 1,
        help: "what B0's repetitions are multiplied by"
      )
      let dropping = try keys.optional(
        "dropping",
        .number(in: 0..<1),
        default: 0.2,
        help: "how often training leaves out the last block"
      )
      return .efficientNet(width: width, depth: depth, dropping: dropping)
    }
    registry.register("residual", summary: "A small residual network.") { keys in
      .residual(
        widths: try keys.optional(
          "widths",
          .list(of: .integer(in: 1...4096), count: 1...8),
          default: [32, 64, 128, 256],
          help: "the channels of each stage"
        ),
        depth: try keys.optional(
          "depth",
          .integer(in: 1...16),
          default: 1,
          help: "how many blocks a stage has"
        )
      )
    }
    return registry
  }()

  private static var sizes: KeyValuePairs<String, EfficientNetSize> {
    [
      "b0": .b0, "b1": .b1, "b2": .b2, "b3": .b3, "b4": .b4, "b5": .b5, "b6": .b6, "b7": .b7,
    ]
  }

  private static let textNetworks: Registry<DualEncoderConfiguration.Text.Network> = {
    var registry = Registry<DualEncoderConfiguration.Text.Network>(of: "text network")
    registry.register("bert", summary: "A transformer (Devlin et al., 2019).") { keys in
      let width = try keys.optional(
        "width",
        .integer(in: 1...8192),
        default: 256,
        help: "the width of a token's vector"
      )
      return .bert(
        width: width,
        layers: try keys.optional("layers", .integer(in: 0...96), default: 4, help: "how many"),
        heads: try keys.optional(
          "heads",
          .integer(in: 1...1024),
          default: max(1, width / 64),
          help: "how many attend in each layer"
        ),
        pooling: try keys.optional(
          "pooling",
          .choice,
          default: .first,
          help: "how the vectors of a text's tokens become one"
        )
      )
    }
    registry.register("bag", summary: "The mean of n-grams' vectors, and residual layers.") {
      keys in
      .bag(
        width: try keys.optional(
          "width",
          .integer(in: 1...8192),
          default: 256,
          help: "how many numbers describe a token, and a text"
        ),
        layers: try keys.optional("layers", .integer(in: 0...96), default: 2, help: "how many")
      )
    }
    return registry
  }()
}

extension Schema where Value == DualEncoderConfiguration {
  /// One of the presets, by its name.
  fileprivate static var preset: Schema {
    .choice(of: [
      "mural-mini": .mini, "mural-small": .small, "mural-base": .base, "mural-large": .large,
    ])
  }
}
