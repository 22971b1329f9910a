internal import Foundation
internal import TesseraCore
internal import TesseraData
internal import TesseraNN
public import TesseraRun

/// What happens during an experiment, for those who watch.
///
/// Arrives from any thread.
public enum ExperimentEvent: Sendable {
  /// A round has begun; so many sites are asked.
  case roundStarted(Int, sites: Int)
  /// A site has answered; so many have by now, and so many images were trained on since the last event.
  case siteAnswered(answers: Int, images: Int)
  /// A round is done and saved.
  case roundFinished(RunManifest.Round)
  /// The trainings that the federation is compared with have begun; by name, how many images they will use.
  case comparisonsStarted([String: Int])
  /// One of them has used so many more images.
  case comparisonAdvanced(name: String, images: Int)
  /// One of them is done.
  case comparisonFinished(name: String, accuracy: Double)
}

extension ImageExperiment {
  /// The name of the curve with all data in one place.
  public static let centralName = "all data in one place"

  /// Runs, or goes on with, an experiment, saving after each round and each comparison.
  ///
  /// - Parameters:
  ///   - record: Where to save; a new record, or that of an interrupted run of the same configuration.
  ///   - lastRound: Ends the federation after this round, as if it had been interrupted there; all rounds if `nil`.
  ///   - comparisons: Whether sites alone and all data in one place are trained too.
  ///   - observe: Is told what happens.
  ///   - checkRound: Is called after each round; throwing ends the run.
  /// - Returns: The finished manifest, which is saved too; of a run that is finished already, its manifest.
  /// - Throws: `CancellationError` if the task was cancelled. The record then says `interrupted` and can be resumed.
  public func run(
    in record: RunRecord,
    through lastRound: Int? = nil,
    comparisons: Bool = true,
    observe: @escaping @Sendable (ExperimentEvent) -> Void = { _ in },
    checkRound: (RunManifest) throws -> Void = { _ in }
  ) async throws -> RunManifest {
    let lock = try record.lock()
    defer { withExtendedLifetime(lock) {} }
    // Another process may have finished it while this one waited for the data.
    let earlier = try record.manifest()
    if earlier.status == .finished { return earlier }
    let run = try OpenRun(record)
    do {
      let rounds = min(lastRound ?? configuration.rounds, configuration.rounds)
      let model = try await federate(rounds, run, observe, checkRound)
      // Of use even if what follows is stopped.
      try model.write(to: record.modelFile, metadata: ["producer": "tessera"])
      let digest = try Digest.sha256(ofFile: record.modelFile)
      if comparisons { try await compare(run, observe) }
      let manifest = try run.save { manifest in
        manifest.modelDigest = digest
        manifest.results = results(of: manifest)
        manifest.finished = Date().ISO8601Format()
        manifest.status = .finished
      }
      removeCheckpoints(in: record, except: nil)
      return manifest
    } catch {
      // The first error is the one to report, even if the disk refuses this too.
      _ = try? run.save { manifest in
        manifest.status = error is CancellationError ? .interrupted : .failed
        manifest.message = error is CancellationError ? nil : "\(error)"
      }
      throw error
    }
  }

  private func federate(
    _ rounds: Int,
    _ run: OpenRun,
    _ observe: @escaping @Sendable (ExperimentEvent) -> Void,
    _ checkRound: (RunManifest) throws -> Void
  ) async throws -> ModelState {
    let earlier = run.manifest
    let initial = try training.initialState(key: key)
    let done = earlier.rounds.count
    let start = try done == 0 ? initial : checkpoint(in: run.record, earlier, like: initial)
    let accuracy = earlier.rounds.last?.accuracy ?? 0
    if done >= rounds || accuracy >= configuration.targetAccuracy ?? .infinity { return start }
    let epochs = configuration.epochs
    var state = WorkflowState(model: start)
    state.round = done
    var federation = try federation(rounds: rounds)
    federation.evaluate = { try await evaluate($0.tensors) }
    let outcome = try await federation.run(from: state) { result in
      let entry = try Self.entry(for: result, epochs: epochs)
      // The model first: a round that the record has can be gone on from.
      try saveCheckpoint(result.model, after: entry.round, in: run.record)
      let manifest = try run.save { $0.rounds.append(entry) }
      removeCheckpoints(in: run.record, except: entry.round)
      try run.record.append(metric: RoundMetric(entry))
      observe(.roundFinished(entry))
      try checkRound(manifest)
    } observe: { event in
      switch event {
      case .asked(_, let round, let sites): observe(.roundStarted(round, sites: sites))
      case .answered(let site, let answers):
        observe(.siteAnswered(answers: answers, images: site.exampleCount * epochs))
      default: break
      }
    }
    return outcome.state.model
  }

  private static func entry(for result: RoundResult, epochs: Int) throws -> RunManifest.Round {
    let digest = try Digest.sha256(of: result.model)
    let seconds = result.duration / .seconds(1)
    let images = result.contributions.reduce(0) { $0 + $1.exampleCount * epochs }
    return RunManifest.Round(
      round: result.round,
      model: digest.model,
      tensors: digest.tensors,
      contributors: result.contributions.map {
        RunManifest.Contributor(site: $0.site, weight: $0.weight, loss: $0.metrics["loss"])
      },
      rejected: result.refusals.map {
        RunManifest.Rejection(site: $0.site, reason: $0.reason)
      },
      trainingLoss: result.trainingLoss,
      loss: result.evaluation?.loss ?? 0,
      accuracy: result.evaluation?.accuracy ?? 0,
      seconds: seconds,
      imagesPerSecond: seconds > 0 ? Double(images) / seconds : 0
    )
  }

  /// Accuracy and loss on the test images, in parts that the lanes share.
  private func evaluate(_ state: ModelState) async throws -> Evaluation {
    let parts = stride(from: 0, to: test.count, by: 1000).map { $0..<min($0 + 1000, test.count) }
    let scores = try await pool.map(parts) { range in
      try ClassifierScore(of: training.model(with: state), on: test, in: range)
    }
    var total = ClassifierScore()
    for score in scores { total += score }
    return total.evaluation
  }

  /// Trains at each site alone, and with all data in one place, as long as the federation did.
  private func compare(
    _ run: OpenRun,
    _ observe: @escaping @Sendable (ExperimentEvent) -> Void
  ) async throws {
    let earlier = run.manifest
    let rounds = earlier.rounds.count
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
      _ = try run.save { $0.curves[part.name] = curve }
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
    if let last = manifest.rounds.last {
      results.append(.init(name: "federated averaging", accuracy: last.accuracy))
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
