extension RetrievalPlan {
  /// What `tessera retrieval quickstart` trains: both systems, and translations alone for the map of languages.
  public static var quickstart: RetrievalPlan {
    var training = adamW
    training.steps = 3_000
    training.warmup = 150
    return RetrievalPlan(
      training: training,
      systems: [.align, .mural, .text],
      checkpointEvery: 500
    )
  }

  /// What has done well with few steps: LAMB wants many, and large batches.
  private static var adamW: RetrievalTraining.Configuration {
    var training = RetrievalTraining.Configuration()
    training.optimizer = .adamW
    training.learningRate = 2e-3
    return training
  }

  /// The same in a few minutes.
  public static var smoke: RetrievalPlan {
    var training = adamW
    training.steps = 400
    training.warmup = 40
    var model = DualEncoderConfiguration.mini
    model.image = .init(.residual(widths: [16, 32, 64, 128], depth: 1), resolution: 32)
    return RetrievalPlan(
      model: model,
      training: training,
      systems: [.align, .mural],
      checkpointEvery: 100
    )
  }
}
