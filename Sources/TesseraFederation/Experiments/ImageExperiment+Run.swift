internal import Foundation
internal import TesseraCore
internal import TesseraData
internal import TesseraNN
public import TesseraRun

extension ImageExperiment {
  /// The name of the curve with all data in one place.
  public static let centralName = "all data in one place"

  /// Runs, or goes on with, an experiment, saving after each round and each comparison.
  public func run(
    in record: RunRecord,
    to limit: ExperimentLimit?,
    observe: @escaping @Sendable (ExperimentEvent) -> Void,
    checkRound: (RunManifest) throws -> Void
  ) async throws -> RunManifest {
    let run = try OpenRun(record)
    // Another process may have finished it while this one waited for the data.
    if run.manifest.status == .finished { return run.manifest }
    return try await run.finishing {
      var trainings: [RecordedTraining] = []
      for algorithm in configuration.algorithms {
        let lastRound = limit.map { $0.rounds[algorithm.rawValue] ?? 0 }
        if lastRound == 0 { continue }
        let training = try training(by: algorithm, through: lastRound)
        try await federate(training, title: algorithm.title, run, observe, checkRound)
        trainings.append(training)
      }
      if limit?.isWhole ?? true { try await compare(run, observe) }
      let manifest = try run.save { manifest in
        manifest.results = results(of: manifest)
        manifest.finished = Date().ISO8601Format()
        manifest.status = .finished
      }
      for training in trainings { training.clear(record) }
      return manifest
    }
  }

  private func federate(
    _ training: RecordedTraining,
    title: String,
    _ run: OpenRun,
    _ observe: @escaping @Sendable (ExperimentEvent) -> Void,
    _ checkRound: (RunManifest) throws -> Void
  ) async throws {
    let epochs = configuration.epochs
    observe(.trainingStarted(name: training.name, title: title))
    let state = try await training.run(in: run) { event in
      if let event = ExperimentEvent(event, passes: epochs) { observe(event) }
    } finishRound: { entry in
      observe(.roundFinished(entry))
      try checkRound(run.manifest)
    }
    // Of use even if what follows is stopped.
    let digest = try run.record.write(state, of: training, in: run.manifest)
    try run.save { manifest in
      for index in manifest.trainings.indices where manifest.trainings[index].name == training.name
      {
        manifest.trainings[index].modelDigest = digest
      }
    }
  }

  /// Trains at each site alone, and with all data in one place, as long as the federation did.
  private func compare(
    _ run: OpenRun,
    _ observe: @escaping @Sendable (ExperimentEvent) -> Void
  ) async throws {
    let earlier = run.manifest
    let rounds = earlier.trainings.map(\.rounds.count).max() ?? 0
    let central = (name: Self.centralName, indices: Array(0..<training.dataset.count), index: -1)
    let alone = sites.map { (name: $0.name, indices: partition[$0.index], index: $0.index) }
    // Those that an interrupted run has finished are not repeated.
    let missing = ([central] + alone.sorted { $0.indices.count > $1.indices.count })
      .filter { earlier.curves[$0.name]?.count != rounds }
    let initial = try training.initialState(key: key)
    let images = imagesOfComparisons(rounds: rounds)
    let names = Set(missing.map(\.name))
    observe(.comparisonsStarted(images.filter { names.contains($0.key) }))
    _ = try await pool.map(missing) { part in
      let curve = try curve(
        from: initial,
        on: part.indices,
        rounds: rounds,
        key: key["alone"][part.index]
      ) {
        observe(.comparisonAdvanced(name: part.name, images: part.indices.count))
      }
      try run.append(.curveFinished(name: part.name, accuracies: curve))
      observe(.comparisonFinished(name: part.name, accuracy: curve.last ?? 0))
    }
  }

  /// The accuracy after each round's worth of epochs.
  private func curve(
    from initial: ModelState,
    on indices: [Int],
    rounds: Int,
    key: RandomKey,
    finishEpoch: () -> Void
  ) throws -> [Double] {
    var curve: [Double] = []
    _ = try training.train(
      initial,
      on: indices,
      epochs: rounds * configuration.epochs,
      key: key,
      rates: { training.learningRate.rate(at: $0 / configuration.epochs) }
    ) { epoch, model in
      finishEpoch()
      guard epoch % configuration.epochs == 0 else { return }
      model.setMode(.evaluation)
      let score = try ClassifierScore(of: model, on: test, in: 0..<test.count)
      curve.append(score.evaluation.accuracy)
      model.setMode(.training)
    }
    return curve
  }

  private func results(of manifest: RunManifest) -> [RunManifest.Result] {
    var results: [RunManifest.Result] = []
    for training in manifest.trainings {
      guard let accuracy = training.rounds.last?.accuracy else { continue }
      results.append(.init(name: training.title, accuracy: accuracy))
    }
    let alone = sites.compactMap { manifest.curves[$0.name]?.last }
    if alone.count == sites.count, let worst = alone.min() {
      results.append(
        .init(
          name: "one site alone, mean of \(alone.count)",
          accuracy: alone.reduce(0, +) / Double(alone.count)
        )
      )
      results.append(.init(name: "one site alone, worst of \(alone.count)", accuracy: worst))
    }
    if let central = manifest.curves[Self.centralName]?.last {
      results.append(.init(name: Self.centralName, accuracy: central))
    }
    return results
  }
}
