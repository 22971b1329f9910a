internal import TesseraCore
internal import TesseraData
internal import TesseraNN

extension ClassifierTraining {
  /// Trains by private SGD, with one pass of the network for each example.
  ///
  /// Nothing is measured: an exact loss would tell of the examples.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration`` if the network keeps statistics of
  ///   the data beside its parameters.
  func train(
    privatelyBy sgd: PrivateSGD,
    _ state: ModelState,
    on indices: [Int],
    epochs: Int,
    key: RandomKey,
    correction: (any GradientCorrection)?,
    secrets: SecretSource,
    rates: (_ epoch: Int) -> Double,
    finishEpoch: (_ epoch: Int, _ model: any Layer) throws -> Void
  ) throws -> LocalTraining {
    let model = try makeModel(Generator(key: key["weights"]))
    try model.load(state)
    try model.useChannelsLast()
    model.setMode(.training)
    let parameters = model.parameters
    let trained = Set(model.namedParameters.map(\.name))
    if let statistic = try model.state().names.first(where: { !trained.contains($0) }) {
      throw FederationError(
        code: .invalidConfiguration,
        message: """
          'private_sgd' needs a network without statistics of the data, and '\(statistic)' is one: \
          normalise by groups or layers
          """
      )
    }
    let optimizer = try SGD(parameters, learningRate: rates(0), momentum: momentum)
    let correct = try correction?.begin(model.namedParameters)
    var steps = LocalSteps(momentum: momentum)
    let rate = sgd.samplingRate(batchSize: batchSize, examples: indices.count)
    let count = sgd.stepsPerEpoch(batchSize: batchSize, examples: indices.count)
    for epoch in 1...max(1, epochs) {
      optimizer.learningRate = rates(epoch - 1)
      for number in 0..<count {
        try Task.checkCancellation()
        let step = key["private"][epoch][number]
        let secret = secrets.derived("step \(epoch)/\(number)")
        let chosen = sgd.sample(indices, rate: rate, secrets: secret)
        // One example a batch: its gradient is to be clipped for itself.
        let plan = try dataset.batches(
          of: 1,
          indices: chosen,
          shuffledBy: step["transforms"],
          transforms: transforms
        )
        let gradients = try sgd.gradients(
          for: parameters,
          of: chosen.count,
          over: rate * Double(indices.count),
          secrets: secret
        ) { example in
          try Task.checkCancellation()
          let batch = try plan.batch(example)
          return try crossEntropy(model(batch.images), batch.labels).gradients(for: parameters)
        }
        try optimizer.apply(correct?(gradients) ?? gradients)
        steps.add(rate: optimizer.learningRate)
      }
      try finishEpoch(epoch, model)
    }
    return LocalTraining(try model.state(), steps: steps, samples: indices.count)
  }
}
