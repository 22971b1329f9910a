/// What a ``DualEncoder`` is made of: `model.json` in a model's folder.
public struct DualEncoderConfiguration: Sendable, Hashable, Codable {
  /// What it is called: a preset, or a name of one's own.
  public var name: String
  /// The part that looks at pictures.
  public var image: Image
  /// The part that reads texts.
  public var text: Text
  /// How many numbers stand for a picture or a text.
  public var dimension: Int
  /// Whether pairs of translations are compared by a projection of their own.
  public var heads: Heads
  /// The temperature that training begins with.
  public var temperature: Double

  /// A configuration.
  public init(
    name: String,
    image: Image,
    text: Text,
    dimension: Int,
    heads: Heads = .shared,
    temperature: Double = 0.07
  ) {
    self.name = name
    self.image = image
    self.text = text
    self.dimension = dimension
    self.heads = heads
    self.temperature = temperature
  }

  /// By which projections the text encoder's features are compared.
  public enum Heads: String, Sendable, Hashable, Codable, CaseIterable {
    /// By the same with pictures and with translations.
    case shared
    /// By one for each task.
    case perTask = "per-task"
  }

  /// An image tower.
  public struct Image: Sendable, Hashable, Codable {
    /// Height and width of the pictures that it sees, in pixels.
    public var resolution: Int
    /// What it is.
    public var network: Network

    /// A tower for pictures of a size.
    public init(_ network: Network, resolution: Int) {
      self.network = network
      self.resolution = resolution
    }

    /// The networks that there are.
    public enum Network: Sendable, Hashable, Codable {
      /// ``EfficientNet``, B0's width and depth multiplied by these; `dropping` is how often training leaves out its last block.
      case efficientNet(width: Double, depth: Double, dropping: Double)
      /// ``ResidualTower``.
      case residual(widths: [Int], depth: Int)
    }
  }

  /// A text tower.
  public struct Text: Sendable, Hashable, Codable {
    /// What it is.
    public var network: Network
    /// How many tokens of a text are read.
    public var limit: Int
    /// The share of elements that training drops.
    public var dropout: Double

    /// A tower for texts of a length.
    public init(_ network: Network, limit: Int = 64, dropout: Double = 0.1) {
      self.network = network
      self.limit = limit
      self.dropout = dropout
    }

    /// The networks that there are.
    public enum Network: Sendable, Hashable, Codable {
      /// ``BERT`` with a vocabulary of subwords.
      case bert(width: Int, layers: Int, heads: Int, pooling: TextPooling)
      /// ``BagTower`` over ``CharacterNGrams``.
      case bag(width: Int, layers: Int)
    }
  }
}

extension DualEncoderConfiguration {
  /// For a notebook: a residual network at 32 pixels, and bags of n-grams.
  public static let mini = Self(
    name: "mural-mini",
    image: Image(.residual(widths: [32, 64, 128, 256], depth: 1), resolution: 32),
    text: Text(.bag(width: 256, layers: 2), limit: 256, dropout: 0),
    dimension: 256
  )

  /// EfficientNet-B0 at 64 pixels and BERT-mini.
  public static let small = Self(
    name: "mural-small",
    image: Image(.efficientNet(width: 1, depth: 1, dropping: 0.1), resolution: 64),
    text: Text(.bert(width: 256, layers: 4, heads: 4, pooling: .first), limit: 32),
    dimension: 256
  )

  /// EfficientNet-B5 and BERT-base, as MURAL-base (Jain et al., 2021); pictures of 289 pixels, as ALIGN cuts them.
  public static let base = Self(
    name: "mural-base",
    image: Image(.efficientNet(width: 1.6, depth: 2.2, dropping: 0.2), resolution: 289),
    text: Text(.bert(width: 768, layers: 12, heads: 12, pooling: .first)),
    dimension: 640,
    temperature: 1
  )

  /// EfficientNet-B7 and BERT-large, as MURAL-large (Jain et al., 2021).
  public static let large = Self(
    name: "mural-large",
    image: Image(.efficientNet(width: 2, depth: 3.1, dropping: 0.2), resolution: 289),
    text: Text(.bert(width: 1024, layers: 24, heads: 16, pooling: .first)),
    dimension: 640,
    temperature: 1
  )

  /// All presets, by their names.
  public static let presets = [mini, small, base, large]
}
