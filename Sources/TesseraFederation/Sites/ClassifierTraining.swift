public import TesseraCore
public import TesseraData
public import TesseraNN

/// How an image classifier is trained: the same at a site, alone, and with all data in one place.
public struct ClassifierTraining: Sendable {
  /// The images.
  public let dataset: LabelledImages
  /// How many images a step uses.
  public let batchSize: Int
  /// The step size of SGD in each round, counted from 0.
  public let learningRate: any Schedule
  /// Its momentum.
  public let momentum: Double
  /// The norm that gradients are clipped to; a site with few classes would leave the numbers' range in its first steps.
  public let gradientNorm: Double
  /// Changes to the images.
  public let transforms: [any SampleTransform]
  /// How training is made private, example by example; not at all if `nil`.
  ///
  /// ``gradientNorm`` then has no meaning.
  public let privateSGD: PrivateSGD?
  let makeModel: @Sendable (Generator) throws -> any Layer

  /// A recipe.
  ///
  /// - Parameters:
  ///   - dataset: The images.
  ///   - batchSize: How many images a step uses.
  ///   - learningRate: The step size of SGD in each round, counted from 0.
  ///   - momentum: Its momentum.
  ///   - gradientNorm: The norm that gradients are clipped to.
  ///   - transforms: Changes to the images.
  ///   - privateSGD: How training is made private, example by example; not at all if `nil`.
  ///   - model: Makes the network; its output is `[batch, classes]`.
  public init(
    dataset: LabelledImages,
    batchSize: Int,
    learningRate: any Schedule,
    momentum: Double = 0.9,
    gradientNorm: Double = 2,
    transforms: [any SampleTransform] = [],
    privateSGD: PrivateSGD? = nil,
    model: @escaping @Sendable (Generator) throws -> any Layer
  ) {
    self.dataset = dataset
    self.batchSize = batchSize
    self.learningRate = learningRate
    self.momentum = momentum
    self.gradientNorm = gradientNorm
    self.transforms = transforms
    self.privateSGD = privateSGD
    makeModel = model
  }

  /// A network with its first random weights.
  public func initialState(key: RandomKey) throws -> ModelState {
    try makeModel(Generator(key: key["weights"])).state()
  }

  /// Trains from a state, on some of the images.
  ///
  /// - Parameters:
  ///   - state: Where to start.
  ///   - indices: Which images.
  ///   - epochs: How often each is used.
  ///   - key: Shuffles, and seeds transforms and dropout.
  ///   - correction: What changes the gradients of each step, after they are clipped.
  ///   - secrets: Where noise and batches come from if training is private.
  ///   - rates: The step size of each epoch, from 0.
  ///   - finishEpoch: Is called after each epoch, with the model in training mode.
  ///   - measuredEpoch: Is called after each epoch with its mean training loss; never where training is private.
  /// - Returns: The trained state, the steps, and the mean loss over all of them.
  /// - Throws: `CancellationError`, within a batch's time, if the task is cancelled.
  public func train(
    _ state: ModelState,
    on indices: [Int],
    epochs: Int,
    key: RandomKey,
    correction: (any GradientCorrection)? = nil,
    secrets: SecretSource = .system,
    rates: (_ epoch: Int) -> Double,
    finishEpoch: (_ epoch: Int, _ model: any Layer) throws -> Void = { _, _ in },
    measuredEpoch: (_ epoch: Int, _ loss: Double) -> Void = { _, _ in }
  ) throws -> LocalTraining {
    if let privateSGD {
      return try train(
        privatelyBy: privateSGD,
        state,
        on: indices,
        epochs: epochs,
        key: key,
        correction: correction,
        secrets: secrets,
        rates: rates,
        finishEpoch: finishEpoch
      )
    }
    let model = try makeModel(Generator(key: key["weights"]))
    try model.load(state)
    try model.useChannelsLast()
    model.setMode(.training)
    let parameters = model.parameters
    let optimizer = try SGD(parameters, learningRate: rates(0), momentum: momentum)
    let correct = try correction?.begin(model.namedParameters)
    var (lossSum, steps) = (0.0, LocalSteps(momentum: momentum))
    for epoch in 1...max(1, epochs) {
      optimizer.learningRate = rates(epoch - 1)
      let (sumBefore, stepsBefore) = (lossSum, steps.count)
      let plan = try dataset.batches(
        of: batchSize,
        indices: indices,
        shuffledBy: key["epoch"][epoch],
        transforms: transforms
      )
      for number in plan.numbers {
        try Task.checkCancellation()
        let batch = try gradients(of: model, for: parameters, on: plan.batch(number))
        try optimizer.apply(correct?(batch.gradients) ?? batch.gradients)
        steps.add(rate: optimizer.learningRate)
        lossSum += try batch.loss.item()
      }
      try finishEpoch(epoch, model)
      if steps.count > stepsBefore {
        measuredEpoch(epoch, (lossSum - sumBefore) / Double(steps.count - stepsBefore))
      }
    }
    return LocalTraining(
      try model.state(),
      steps: steps,
      samples: indices.count,
      metrics: ["loss": steps.count > 0 ? lossSum / Double(steps.count) : 0]
    )
  }

  /// What a batch says: the loss, and its gradients, clipped.
  ///
  /// All that a step learns from the data comes out of here. What follows, an algorithm's correction and the optimiser, sees no
  /// data; so whatever makes gradients private does it here, and stays private.
  private func gradients(
    of model: any Layer,
    for parameters: [Parameter],
    on batch: Batch
  ) throws -> (loss: Tensor, gradients: [Tensor]) {
    let loss = try crossEntropy(model(batch.images), batch.labels)
    let gradients = try loss.gradients(for: parameters)
    return (loss, try gradients.clipped(toNorm: gradientNorm).gradients)
  }

  /// A network with the given state, in evaluation mode.
  public func model(with state: ModelState) throws -> any Layer {
    let model = try makeModel(Generator(seed: 0))
    try model.load(state)
    try model.useChannelsLast()
    model.setMode(.evaluation)
    return model
  }
}

/// Counts of a classifier's successes, which add up over parts of a data set.
public struct ClassifierScore: Sendable, Hashable {
  /// How many images were seen.
  public var count = 0
  /// How many of them were classified rightly.
  public var correct = 0
  /// The sum of the losses.
  public var lossSum = 0.0

  /// Nothing seen yet.
  public init() {}

  /// A classifier's score on some images.
  ///
  /// The model's mode is left as it was set.
  ///
  /// - Parameters:
  ///   - model: Its output is `[batch, classes]`.
  ///   - dataset: The images.
  ///   - range: Which of them.
  ///   - batchSize: How many are looked at together.
  /// - Throws: `CancellationError` if the task is cancelled, and what the model throws.
  public init(
    of model: any Layer,
    on dataset: LabelledImages,
    in range: Range<Int>,
    batchSize: Int = 250
  ) throws {
    try self.init(of: model, on: dataset, at: Array(range), batchSize: batchSize)
  }

  /// A classifier's score on the images at some positions.
  ///
  /// The model's mode is left as it was set.
  ///
  /// - Parameters:
  ///   - model: Its output is `[batch, classes]`.
  ///   - dataset: The images.
  ///   - indices: Which of them.
  ///   - batchSize: How many are looked at together.
  /// - Throws: `CancellationError` if the task is cancelled, and what the model throws.
  public init(
    of model: any Layer,
    on dataset: LabelledImages,
    at indices: [Int],
    batchSize: Int = 250
  ) throws {
    let plan = try dataset.batches(of: batchSize, indices: indices)
    for number in plan.numbers {
      try Task.checkCancellation()
      let batch = try plan.batch(number)
      try withoutGradient {
        let logits = try model(batch.images)
        lossSum += try crossEntropy(logits, batch.labels, reduction: .sum).item()
        correct += try logits.argmax(along: 1).equals(batch.labels).sum().itemAsInteger()
      }
      count += batch.indices.count
    }
  }

  /// Adds the counts of another part.
  public static func += (a: inout ClassifierScore, b: ClassifierScore) {
    a.count += b.count
    a.correct += b.correct
    a.lossSum += b.lossSum
  }

  /// Accuracy and mean loss, infinite if it is not a number.
  public var evaluation: Evaluation {
    let loss = count > 0 ? lossSum / Double(count) : 0
    return Evaluation(
      accuracy: count > 0 ? Double(correct) / Double(count) : 0,
      loss: loss.isNaN ? .infinity : loss
    )
  }
}
