extension RetrievalTraining {
  /// How a model is trained.
  public struct Configuration: Sendable, Hashable, Codable {
    /// How many steps.
    public var steps = 2_000
    /// How many pictures a step uses, each with a text.
    public var pictures = 128
    /// How many pairs of translations a step uses; 0 trains on pictures alone, as ALIGN does.
    public var translations = 512
    /// How many pictures or texts are encoded at a time, with a gradient cache over the batch (Gao et al., 2021); the whole batch if
    /// `nil`.
    public var chunk: Int?
    /// The weight of the pictures' loss.
    public var pictureWeight = 1.0
    /// The weight of the translations' loss.
    public var translationWeight = 1.0
    /// The share of probability that losses spread over all candidates.
    public var smoothing = 0.1
    /// What a translation has to be more similar by than all other texts.
    public var margin = 0.0
    /// A pair of languages with `n` pairs is drawn from as often as `n` to this.
    public var languageExponent = 0.5
    /// What changes the parameters.
    public var optimizer = Optimizer.lamb
    /// The greatest step size, after warm-up; it then falls in a straight line to 0.
    public var learningRate = 4e-3
    /// In how many steps the step size rises.
    public var warmup = 100
    /// The share of a parameter that a step of size 1 takes away.
    public var weightDecay = 0.01
    /// The greatest norm of all gradients together; no limit if `nil`.
    public var gradientNorm: Double? = 1
    /// In what matrix products and convolutions are computed.
    public var precision = Precision.float32
    /// How pictures are changed.
    public var augmentation = Augmentation.strong
    /// What all draws derive from.
    public var seed: UInt64 = 1

    /// The default settings.
    public init() {}

    /// What changes the parameters.
    public enum Optimizer: String, Sendable, Hashable, Codable, CaseIterable {
      /// Layers at their own pace, as ALIGN is trained (You et al., 2020).
      case lamb
      /// Adam with decoupled weight decay (Loshchilov and Hutter, 2019).
      case adamW = "adamw"
    }

    /// In what matrix products and convolutions are computed.
    public enum Precision: String, Sendable, Hashable, Codable, CaseIterable {
      /// 32 bits.
      case float32
      /// 16 bits with the range of 32; sums and losses in 32.
      case bfloat16
    }

    /// How pictures are changed.
    public enum Augmentation: String, Sendable, Hashable, Codable, CaseIterable {
      /// Not at all.
      case none
      /// Moved, turned, scaled and recoloured a little.
      case light
      /// More so.
      case strong
    }
  }
}

extension RetrievalTraining.Configuration {
  /// Refuses what cannot be.
  ///
  /// - Throws: ``RetrievalError`` with code ``RetrievalError/Code/invalidArgument``, naming the setting and what is allowed.
  public func check() throws {
    func require(_ condition: Bool, _ setting: String, _ allowed: String) throws {
      guard !condition else { return }
      throw RetrievalError(code: .invalidArgument, message: "'\(setting)' is not \(allowed)")
    }
    try require((1...100_000_000).contains(steps), "steps", "in 1...100000000")
    try require((2...1_048_576).contains(pictures), "pictures", "in 2...1048576")
    try require(
      translations == 0 || (2...1_048_576).contains(translations),
      "translations",
      "0 or in 2...1048576"
    )
    if let chunk { try require(chunk >= 1, "chunk", "at least 1") }
    try require((0...1000).contains(pictureWeight), "picture weight", "in 0...1000")
    try require((0...1000).contains(translationWeight), "translation weight", "in 0...1000")
    try require((0..<1).contains(smoothing), "smoothing", "in 0..<1")
    try require((0...1).contains(margin), "margin", "in 0...1")
    try require((0...1).contains(languageExponent), "language exponent", "in 0...1")
    try require(learningRate > 0 && learningRate <= 10, "learning rate", "above 0 and at most 10")
    try require((0...steps).contains(warmup), "warmup", "in 0...\(steps)")
    try require((0...1).contains(weightDecay), "weight decay", "in 0...1")
    if let gradientNorm { try require(gradientNorm > 0, "gradient norm", "above 0") }
  }
}
