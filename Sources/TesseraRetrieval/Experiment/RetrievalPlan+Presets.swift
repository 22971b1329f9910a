extension RetrievalPlan {
  /// What `tessera retrieval quickstart` trains: both systems, and translations alone for the map of languages.
  public static var quickstart: RetrievalPlan {
    var training = RetrievalTraining.Configuration()
    training.steps = 3_000
    return RetrievalPlan(
      training: training,
      systems: [.align, .mural, .text],
      checkpointEvery: 500
    )
  }

  /// The same in a few minutes.
  public static var smoke: RetrievalPlan {
    var training = RetrievalTraining.Configuration()
    training.steps = 400
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
