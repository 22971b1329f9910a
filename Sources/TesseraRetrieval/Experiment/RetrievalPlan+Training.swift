internal import TesseraConfiguration

extension RetrievalPlan {
  /// Reads how a model is trained.
  static func training(_ keys: Mapping) throws -> RetrievalTraining.Configuration {
    var training = RetrievalTraining.Configuration()
    training.steps = try keys.optional(
      "steps",
      .integer(in: 1...100_000_000),
      default: training.steps,
      help: "how many steps"
    )
    training.pictures = try keys.optional(
      "pictures",
      .integer(in: 2...1_048_576),
      default: training.pictures,
      help: "how many pictures a step uses, each with a text"
    )
    training.translations = try keys.optional(
      "translations",
      .integer(in: 2...1_048_576),
      default: training.translations,
      help: "how many translations a step of MURAL uses"
    )
    training.chunk = try keys.optional(
      "chunk",
      .integer(in: 1...1_048_576),
      help: "how many are encoded at a time, with a gradient cache; all if not given"
    )
    training.pictureWeight = try keys.optional(
      "picture_weight",
      .number(in: 0...1000),
      default: training.pictureWeight,
      help: "the weight of the pictures' loss"
    )
    training.translationWeight = try keys.optional(
      "translation_weight",
      .number(in: 0...1000),
      default: training.translationWeight,
      help: "the weight of the translations' loss"
    )
    training.smoothing = try keys.optional(
      "smoothing",
      .number(in: 0..<1),
      default: training.smoothing,
      help: "the share of probability that is spread over all candidates"
    )
    training.margin = try keys.optional(
      "margin",
      .number(in: 0...1),
      default: training.margin,
      help: "what a translation has to be more similar by than all other texts"
    )
    training.languageExponent = try keys.optional(
      "language_exponent",
      .number(in: 0...1),
      default: training.languageExponent,
      help: "a language of `n` pairs is drawn from as often as `n` to this"
    )
    training.optimizer = try keys.optional(
      "optimizer",
      .choice,
      default: training.optimizer,
      help: "what changes the parameters"
    )
    training.learningRate = try keys.optional(
      "learning_rate",
      .number(above: 0, through: 10),
      default: training.learningRate,
      help: "the greatest step size"
    )
    training.warmup = try keys.optional(
      "warmup",
      .integer(in: 0...100_000_000),
      default: min(training.warmup, training.steps / 10),
      help: "in how many steps the step size rises"
    )
    training.weightDecay = try keys.optional(
      "weight_decay",
      .number(in: 0...1),
      default: training.weightDecay,
      help: "the share of a parameter that a step of size 1 takes away"
    )
    training.gradientNorm = try keys.optional(
      "gradient_norm",
      .number(above: 0),
      default: training.gradientNorm ?? 1,
      help: "the greatest norm of all gradients together"
    )
    training.precision = try keys.optional(
      "precision",
      .choice,
      default: training.precision,
      help: "in what matrix products and convolutions are computed"
    )
    training.augmentation = try keys.optional(
      "augmentation",
      .choice,
      default: training.augmentation,
      help: "how pictures are changed"
    )
    return training
  }
}
