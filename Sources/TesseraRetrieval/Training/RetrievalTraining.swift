public import TesseraCore
internal import TesseraData
internal import TesseraNN

/// Trains a ``DualEncoder`` on two tasks at once: to match pictures with texts, and texts with their translations.
///
/// This is MURAL (Jain et al., 2021, section 3); with no translations it is ALIGN (Jia et al., 2021).
///
///     let training = try RetrievalTraining(model, tokenizer, examples, .init(), generator: generator)
///     while training.stepsDone < training.configuration.steps { print(try training.step()) }
///
/// A step's batch, its changes to pictures and what it drops depend on the seed and the step's number alone, so that a training that
/// goes on from a checkpoint gives the same bits as one that was never stopped.
public final class RetrievalTraining {
  /// What is trained.
  public let model: DualEncoder
  /// The settings.
  public let configuration: Configuration
  /// How many steps are done.
  public private(set) var stepsDone = 0
  private let examples: RetrievalExamples
  private let tokens: TokenTable
  private var sampler: BatchSampler
  private let optimizer: any Optimizer
  private let schedule: WarmupSchedule<PolynomialSchedule>
  private let transforms: [any SampleTransform]
  private let cache: GradientCache
  private let replicas: ReplicaGroup?
  private let key: RandomKey

  /// What a step measured.
  public struct Step: Sendable, Hashable {
    /// The step's number, from 1.
    public var number: Int
    /// The weighted sum of both losses.
    public var loss: Double
    /// The loss of pictures and texts; `nil` without any.
    public var pictureLoss: Double?
    /// The loss of translations; `nil` without any.
    public var translationLoss: Double?
    /// The norm of all gradients together, before it is limited; `nil` where several sites took the step.
    public var gradientNorm: Double?
    /// The step size; `nil` where several sites took the step.
    public var learningRate: Double?

    /// What was measured.
    public init(
      number: Int,
      loss: Double,
      pictureLoss: Double? = nil,
      translationLoss: Double? = nil,
      gradientNorm: Double? = nil,
      learningRate: Double? = nil
    ) {
      self.number = number
      self.loss = loss
      self.pictureLoss = pictureLoss
      self.translationLoss = translationLoss
      self.gradientNorm = gradientNorm
      self.learningRate = learningRate
    }
  }

  /// A training that begins.
  ///
  /// - Parameters:
  ///   - model: What is trained, on the device where it shall be trained.
  ///   - tokenizer: Turns texts into what the model reads.
  ///   - examples: What it is trained on.
  ///   - configuration: How.
  ///   - generator: What the model's layers draw from, on the model's device.
  ///   - replicas: The processes that train together, each with the same model and the same settings; `nil` if there is one. Each encodes its part
  ///     of a batch, and compares it with all of it.
  /// - Throws: ``RetrievalError`` if a setting is outside what is allowed, there is nothing to train on, or a batch cannot be divided evenly.
  public convenience init(
    _ model: DualEncoder,
    _ tokenizer: any Tokenizer,
    _ examples: RetrievalExamples,
    _ configuration: Configuration,
    generator: Generator,
    replicas: ReplicaGroup? = nil
  ) throws {
    let limit = model.configuration.text.limit
    try self.init(
      model,
      TokenTable(examples.texts, by: tokenizer, atMost: limit),
      examples,
      configuration,
      generator: generator,
      replicas: replicas
    )
  }

  /// A training whose texts are tokens already, or that is a part of a longer one.
  ///
  /// - Parameters:
  ///   - model: What is trained, on the device where it shall be trained.
  ///   - tokens: Those of the examples' texts.
  ///   - examples: What it is trained on.
  ///   - configuration: How.
  ///   - generator: What the model's layers draw from, on the model's device.
  ///   - key: What all draws derive from; the configuration's seed if `nil`.
  ///   - step: How many steps of the configuration's were done elsewhere.
  ///   - replicas: The processes that train together; `nil` if there is one.
  /// - Throws: ``RetrievalError`` if a setting is outside what is allowed, there is nothing to train on, or a batch cannot be divided evenly.
  public init(
    _ model: DualEncoder,
    _ tokens: TokenTable,
    _ examples: RetrievalExamples,
    _ configuration: Configuration,
    generator: Generator,
    key: RandomKey? = nil,
    after step: Int = 0,
    replicas: ReplicaGroup? = nil
  ) throws {
    try configuration.check()
    if let replicas {
      guard configuration.pictures.isMultiple(of: replicas.size),
        configuration.translations.isMultiple(of: replicas.size)
      else {
        throw RetrievalError(
          code: .invalidArgument,
          message:
            "'pictures' and 'translations' cannot be divided among \(replicas.size) processes"
        )
      }
    }
    guard tokens.count == examples.texts.count else {
      throw RetrievalError(
        code: .invalidArgument,
        message: "there are tokens of \(tokens.count) texts, and \(examples.texts.count) texts"
      )
    }
    let showsPictures = configuration.pictureWeight > 0 && examples.hasPictures
    let translates =
      configuration.translationWeight > 0 && configuration.translations > 0
      && !examples.translations.isEmpty
    guard showsPictures || translates else {
      throw RetrievalError(
        code: .invalidArgument,
        message: "there is nothing to train on: no picture with a text, and no translation"
      )
    }
    self.replicas = replicas
    self.model = model
    self.configuration = configuration
    self.examples = examples
    self.tokens = tokens
    stepsDone = step
    self.key = key ?? RandomKey(seed: configuration.seed)["retrieval"]
    sampler = BatchSampler(
      examples,
      pictures: showsPictures ? configuration.pictures : 0,
      translations: translates ? configuration.translations : 0,
      exponent: configuration.languageExponent,
      key: self.key["batches"]
    )
    let parameters = model.parameters
    optimizer =
      switch configuration.optimizer {
      case .lamb:
        try LAMB(
          parameters,
          learningRate: configuration.learningRate,
          weightDecay: configuration.weightDecay
        )
      case .adamW:
        try AdamW(
          parameters,
          learningRate: configuration.learningRate,
          weightDecay: configuration.weightDecay
        )
      }
    schedule = PolynomialSchedule.polynomial(
      from: configuration.learningRate,
      over: max(1, configuration.steps - configuration.warmup)
    ).warmedUp(over: configuration.warmup)
    transforms = configuration.augmentation.transforms
    cache = GradientCache(
      parameters: parameters,
      buffers: model.namedBuffers.map(\.buffer),
      generator: generator,
      replicas: replicas
    )
  }

  /// Trains one step.
  ///
  /// - Returns: What it measured.
  /// - Throws: ``RetrievalError`` with code ``RetrievalError/Code/diverged`` if the loss is no number: then nothing has changed.
  public func step() throws -> Step {
    let batch = sampler.batch(stepsDone)
    try cache.generator.restore(
      Generator(key: key["layers"][stepsDone], on: model.device).state()
    )
    // Encoding changes running means and variances.
    let before = try cache.buffers.map { try $0.value.copied() }
    var parts = Losses()
    let (loss, raw) = try gradients(of: batch, measuring: &parts)
    let limit = configuration.gradientNorm ?? .infinity
    let (gradients, norm) = try raw.clipped(toNorm: limit)
    guard loss.isFinite, norm.isFinite else {
      for (buffer, value) in zip(cache.buffers, before) { try buffer.assign(value) }
      throw RetrievalError(
        code: .diverged,
        message: "the loss of step \(stepsDone + 1) is no number: lower the learning rate"
      )
    }
    optimizer.learningRate = schedule.rate(at: stepsDone)
    try optimizer.apply(gradients)
    try model.limitTemperatures()
    stepsDone += 1
    return Step(
      number: stepsDone,
      loss: loss,
      pictureLoss: parts.pictures,
      translationLoss: parts.translations,
      gradientNorm: norm,
      learningRate: optimizer.learningRate
    )
  }

  /// Everything that a training needs to go on.
  ///
  /// - Returns: The model's tensors, the optimiser's, and how many steps are done.
  /// - Throws: `TensorError` if memory is short.
  public func state() throws -> ModelState {
    let model = try model.state().entries.map { (name: "model.\($0.name)", tensor: $0.tensor) }
    let optimizer = try optimizer.state().entries.map {
      (name: "optimizer.\($0.name)", tensor: $0.tensor)
    }
    return try ModelState(model + optimizer + [(name: "steps", tensor: Tensor([stepsDone]))])
  }

  /// Goes on from a state of the same training.
  ///
  /// - Throws: `TensorError`, naming what is missing or does not fit.
  public func load(_ state: ModelState) throws {
    func part(_ prefix: String) throws -> ModelState {
      try ModelState(
        state.entries.filter { $0.name.hasPrefix(prefix) }
          .map { (name: String($0.name.dropFirst(prefix.count)), tensor: $0.tensor) }
      )
    }
    guard let steps = state["steps"], steps.shape == [1], steps.dtype == .int64 else {
      throw TensorError(code: .invalidArgument, message: "the state has no 'steps'")
    }
    let earlier = try model.state()
    try model.load(part("model."))
    do {
      try optimizer.load(part("optimizer."))
    } catch {
      try model.load(earlier)
      throw error
    }
    stepsDone = try steps.reshaped(to: []).itemAsInteger()
  }
}

extension RetrievalTraining {
  /// What both tasks' losses were.
  private struct Losses {
    var pictures: Double?
    var translations: Double?
  }

  private func gradients(
    of batch: RetrievalBatch,
    measuring parts: inout Losses
  ) throws -> (Double, [Tensor]) {
    let device = model.device
    // Of a loss without weight nothing is drawn or computed.
    let showsPictures = !batch.pictures.isEmpty
    // This process's part of pictures and pairs.
    let shown = showsPictures ? own(batch.pictures.count) : 0..<0
    let paired = own(batch.lefts.count)
    let pixels = showsPictures ? try pixels(of: batch, in: shown).moved(to: device) : nil
    let rows = batch.captions[shown] + batch.lefts[paired] + batch.rights[paired]
    let texts = tokens.batch(Array(rows))
    var measured = Losses()
    func loss(_ pictures: Tensor?, _ features: Tensor) throws -> Tensor {
      var total: Tensor?
      if let pictures {
        let captions = try whole(features.slices(in: 0..<shown.count))
        let own = try contrastive(
          whole(pictures),
          model.captions(features: captions),
          temperature: model.pictureTemperature(),
          smoothing: configuration.smoothing,
          excluding: Self.together(batch.pictures.map { examples.subjects[$0] }, batch.captions)?
            .moved(to: device)
        )
        measured.pictures = try own.item()
        total = try own * configuration.pictureWeight
      }
      if !batch.lefts.isEmpty {
        let middle = shown.count + paired.count
        let own = try contrastive(
          model.translations(features: whole(features.slices(in: shown.count..<middle))),
          model.translations(features: whole(features.slices(in: middle..<rows.count))),
          temperature: model.translationTemperature(),
          smoothing: configuration.smoothing,
          margin: configuration.margin,
          excluding: Self.together(batch.lefts, batch.rights)?.moved(to: device)
        )
        measured.translations = try own.item()
        let weighted = try own * configuration.translationWeight
        total = try total.map { try $0 + weighted } ?? weighted
      }
      guard let total else {
        throw RetrievalError(code: .invalidArgument, message: "there is nothing to train on")
      }
      return total
    }
    defer { parts = measured }
    guard configuration.chunk != nil || replicas != nil else {
      let pictures = try pixels.map { pixels in try computing { try model.pictures(pixels) } }
      let features = try computing { try model.textTower(texts) }.to(.float32)
      let value = try loss(pictures, features)
      return (try value.item(), try value.gradients(for: cache.parameters))
    }
    let chunk = configuration.chunk ?? max(1, shown.count, rows.count)
    var encoders: [() throws -> Tensor] = []
    if let pixels {
      encoders = Self.ranges(shown.count, of: chunk).map { range in
        { try self.computing { try self.model.pictures(pixels.slices(in: range)) } }
      }
    }
    let pictureParts = encoders.count
    encoders += Self.ranges(rows.count, of: chunk).map { range in
      { try self.computing { try self.model.textTower(texts[range]) }.to(.float32) }
    }
    return try cache.gradients(encoders) { vectors in
      try loss(
        pixels == nil ? nil : concatenate(Array(vectors[..<pictureParts])),
        concatenate(Array(vectors[pictureParts...]))
      )
    }
  }

  /// This process's part of so many rows.
  private func own(_ count: Int) -> Range<Int> {
    guard let replicas else { return 0..<count }
    let part = count / replicas.size
    return replicas.rank * part..<(replicas.rank + 1) * part
  }

  /// The rows of all processes, of which only this one's know how they came about.
  private func whole(_ part: Tensor) throws -> Tensor {
    guard let replicas else { return part }
    let all = try replicas.gathered(part.detached())
    let place = own(all.shape[0])
    return try concatenate([
      all.slices(in: 0..<place.lowerBound), part, all.slices(in: place.upperBound..<all.shape[0]),
    ])
  }

  private func pixels(of batch: RetrievalBatch, in range: Range<Int>) throws -> Tensor {
    let places = try Tensor(batch.pictures[range].map { examples.places[$0] })
    let size = model.configuration.image.resolution
    let stored = try ImageFile.resized(examples.pixels.gathered(places), height: size, width: size)
    var pixels = try stored.to(.float32) * (1.0 / 255)
    let samples = key["changes"][stepsDone]
    let keys = range.map { samples[$0] }
    for transform in transforms { pixels = try transform(pixels, keys: keys) }
    return pixels
  }

  private func computing(_ body: () throws -> Tensor) throws -> Tensor {
    switch configuration.precision {
    case .float32: try body()
    case .bfloat16: try withAutocast(on: model.device, body)
    }
  }

  /// Which rows belong together though they are no pair, as they are the same on one side; `nil` if none do.
  private static func together(_ a: [Int], _ b: [Int]) throws -> Tensor? {
    guard Set(a).count < a.count || Set(b).count < b.count else { return nil }
    let left = try Tensor(a)
    let right = try Tensor(b)
    return try left.unsqueezed(1).equals(left.unsqueezed(0))
      .or(right.unsqueezed(1).equals(right.unsqueezed(0)))
  }

  private static func ranges(_ count: Int, of size: Int) -> [Range<Int>] {
    stride(from: 0, to: count, by: size).map { $0..<min(count, $0 + size) }
  }
}

extension RetrievalTraining.Configuration.Augmentation {
  /// The changes, one after the other.
  fileprivate var transforms: [any SampleTransform] {
    switch self {
    case .none: []
    case .light:
      [
        RandomAffine(degrees: 8, scale: 0.85...1.1, aspect: 0.9...1.1, translation: 0.06),
        RandomColor(brightness: 0.1, contrast: 0.15, saturation: 0.2, hue: 8),
      ]
    case .strong:
      [
        RandomAffine(
          degrees: 20,
          scale: 0.65...1.2,
          aspect: 0.8...1.25,
          shear: 0.2,
          translation: 0.1
        ),
        RandomColor(brightness: 0.2, contrast: 0.3, saturation: 0.4, hue: 20, greyness: 0.1),
      ]
    }
  }
}
