internal import Foundation
internal import SystemPackage
internal import TesseraCore
internal import TesseraNN
public import TesseraRun

extension RetrievalExperiment {
  /// Runs, or goes on with, the experiment, saving at each checkpoint.
  ///
  /// - Parameters:
  ///   - record: Where to save; a new record, or that of an interrupted run of the same experiment.
  ///   - threads: How many threads compute; all cores if `nil`. Results may differ in their last bits with another number.
  ///   - replicas: The processes that train together, this one the first; the others ``assist(_:threads:)``. `nil` if there is one.
  ///   - observe: Is told what happens.
  /// - Returns: The finished manifest, which is saved too; of a run that is finished already, its manifest.
  /// - Throws: `CancellationError` if the task was cancelled. The record then says `interrupted` and can be gone on with.
  public func run(
    in record: RunRecord,
    threads: Int? = nil,
    replicas: RetrievalReplicas? = nil,
    observe: @escaping @Sendable (Event) -> Void = { _ in }
  ) async throws -> RunManifest {
    try await run(
      in: record,
      threads: threads,
      replicas: replicas,
      repeating: nil,
      observe: observe
    )
  }

  /// As ``run(in:threads:replicas:observe:)``, or repeats another run as far as that has come.
  func run(
    in record: RunRecord,
    threads: Int?,
    replicas: RetrievalReplicas?,
    repeating repetition: Repetition?,
    observe: @escaping @Sendable (Event) -> Void
  ) async throws -> RunManifest {
    let lane = ComputeLane(threads: threads)
    return try await withTaskExecutorPreference(lane) {
      try await runOnLane(
        in: record,
        RecordedComputation(threads: lane.threads, processes: replicas?.size ?? 1, device: device),
        replicas,
        repetition,
        observe
      )
    }
  }

  @concurrent
  private func runOnLane(
    in record: RunRecord,
    _ computation: RecordedComputation,
    _ replicas: RetrievalReplicas?,
    _ repetition: Repetition?,
    _ observe: @escaping @Sendable (Event) -> Void
  ) async throws -> RunManifest {
    let run = try OpenRun(record)
    if run.manifest.status == .finished { return run.manifest }
    do {
      let group = try replicas?.join()
      var threads = [computation.threads]
      if let group {
        try checkAgreement(in: group)
        threads = try Self.threads(of: group, computation.threads)
      }
      try run.save { manifest in
        for count in Set(threads).sorted() {
          var computation = computation
          computation.threads = count
          computation.note(in: &manifest)
        }
      }
      for number in trainings.indices {
        try await carryOut(number, in: run, group, repetition, observe)
      }
      if let group { _ = try next(nil, in: group) }
      return try run.save { manifest in
        manifest.finished = Date().ISO8601Format()
        manifest.status = .finished
      }
    } catch {
      // The first error is the one to report, even if the disk refuses this too.
      _ = try? run.save { manifest in
        manifest.status = error is CancellationError ? .interrupted : .failed
        manifest.message = error is CancellationError ? nil : "\(error)"
      }
      throw error
    }
  }

  private func carryOut(
    _ training: Int,
    in run: OpenRun,
    _ group: ReplicaGroup?,
    _ repetition: Repetition?,
    _ observe: @escaping @Sendable (Event) -> Void
  ) async throws {
    let planned = trainings[training]
    let name = planned.name
    let record = run.record
    guard let entry = run.manifest.trainings.first(where: { $0.name == name }), !entry.isFinished
    else { return }
    let last = repetition?.rounds(of: name) ?? .max
    guard last > 0 else { return }
    let steps = plan.training.steps
    if let group { _ = try next(training, in: group) }
    let training = try makeTraining(planned.system, seed: planned.seed, in: group)
    if !entry.rounds.isEmpty {
      try training.load(contentsOf: record.checkpoint(name, entry.rounds.count))
    }
    if let group { try share(training, in: group) }
    observe(
      .trainingStarted(
        name: name,
        title: planned.system.title,
        steps: training.stepsDone,
        of: steps
      )
    )
    var number = entry.rounds.count
    while training.stepsDone < steps, number < last {
      number += 1
      let start = ContinuousClock.now
      let end = min(steps, number * plan.checkpointEvery)
      let begin = training.stepsDone
      let loss = try await training.advance(to: end) { observe(.stepFinished($0, of: steps)) }
      let seconds = (ContinuousClock.now - start) / .seconds(1)
      // The state is there before the journal says so: what the journal says can be gone on from.
      try training.write(to: record.checkpoint(name, number))
      // Without pictures there is nothing to recall.
      let recall =
        planned.system == .text
        ? nil : try measure(training, [.unseenCaptions], split: .dev).first?.meanRecall
      let digest = try Digest.sha256(of: training.model.state())
      var round = RunManifest.Round(
        round: number,
        model: digest.model,
        tensors: digest.tensors,
        contributors: [],
        rejected: [],
        trainingLoss: loss,
        loss: nil,
        accuracy: recall,
        seconds: seconds,
        examplesPerSecond: Double((end - begin) * plan.training.pictures) / seconds
      )
      round.step = end
      try run.append(.roundFinished(training: name, result: round))
      if number > 1 { record.remove(checkpoint: number - 1, of: name) }
      observe(.checkpointFinished(round, steps: end))
      try repetition?.check(run.manifest)
    }
    guard repetition?.isWhole(name) ?? true else { return }
    let model = try model(training)
    try model.write(to: record.model(of: name))
    try run.save { manifest in
      for index in manifest.trainings.indices where manifest.trainings[index].name == name {
        manifest.trainings[index].modelDigest = model.digest
      }
    }
    let results =
      planned.system == .text
      ? [] : try measure(training, RetrievalTrack.Standard.allCases, split: .test)
    for result in results {
      observe(.measured(name: name, track: result.track, meanRecall: result.meanRecall))
    }
    try record.write(results, of: name)
    try run.append(.trainingFinished(training: name, reason: "all steps are done"))
    record.remove(checkpoint: number, of: name)
  }

  private func measure(
    _ training: any RetrievalTrainer,
    _ standards: [RetrievalTrack.Standard],
    split: DatasetSplit
  ) throws -> [TrackResult] {
    let model = try model(training)
    defer { training.model.setMode(.training) }
    return try standards.compactMap { standard in
      let track = RetrievalTrack(standard, of: dataset, split: split)
      guard !track.concepts.isEmpty, !track.languages.isEmpty else { return nil }
      return try TrackResult(of: model, on: dataset, track) { _, _ in
        try Task.checkCancellation()
      }
    }
  }
}

extension RunRecord {
  /// Where a training's state lies at a checkpoint.
  fileprivate func checkpoint(_ training: String, _ number: Int) -> FilePath {
    folder.appending("state-\(training)-\(number).safetensors")
  }

  fileprivate func remove(checkpoint number: Int, of training: String) {
    try? FileManager.default.removeItem(atPath: checkpoint(training, number).string)
  }

  /// The folder of a training's model.
  func model(of training: String) -> FilePath { folder.appending("models").appending(training) }

  private func resultsFile(of training: String) -> FilePath {
    folder.appending("results-\(training).json")
  }

  fileprivate func write(_ results: [TrackResult], of training: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    let text = String(decoding: try encoder.encode(results), as: UTF8.self)
    try AtomicFile.write(text + "\n", to: resultsFile(of: training))
  }

  /// What was measured of a training's model.
  ///
  /// - Throws: ``RetrievalError``, naming the file, if it cannot be read.
  func results(of training: String) throws -> [TrackResult] {
    let file = resultsFile(of: training)
    guard let data = FileManager.default.contents(atPath: file.string) else {
      throw RetrievalError(code: .missingFile, message: "\(file) cannot be read")
    }
    do {
      return try JSONDecoder().decode([TrackResult].self, from: data)
    } catch {
      throw RetrievalError(code: .malformedFile, message: "\(file) has no results")
    }
  }
}
