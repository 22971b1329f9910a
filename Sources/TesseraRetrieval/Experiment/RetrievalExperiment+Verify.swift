internal import Foundation
internal import SystemPackage
internal import TesseraCore
internal import TesseraNN
public import TesseraRun

extension RetrievalExperiment {
  /// Repeats a run in a folder of its own, which is removed at the end, and compares everything that it computed.
  ///
  ///     let record = try RunRecord.open(at: "runs/first")
  ///     let difference = try await experiment.verify(record)
  ///
  /// It computes on as many threads as the run did. Of an unfinished run, the checkpoints that are there are repeated. The repetition ends
  /// at the first difference.
  ///
  /// - Parameters:
  ///   - record: A run of this experiment's plan.
  ///   - replicas: The processes that train together, as many as the run's, this one the first; the others ``assist(_:threads:)``.
  ///   - observe: Is told what the repetition does.
  /// - Returns: The first difference, or `nil` if there is none.
  /// - Throws: ``RetrievalError`` if the run cannot be repeated; what ``run(in:threads:replicas:observe:)`` throws.
  public func verify(
    _ record: RunRecord,
    replicas: RetrievalReplicas? = nil,
    observe: @escaping @Sendable (Event) -> Void = { _ in }
  ) async throws -> RunDifference? {
    let original = try record.manifest()
    let computation = try RecordedComputation(of: original)
    func require(_ holds: Bool, _ message: String) throws {
      if !holds { throw RetrievalError(code: .invalidArgument, message: message) }
    }
    try require(device == .cpu, "runs are repeated on the CPU")
    try require(
      original.trainings.contains { !$0.rounds.isEmpty },
      "\(record.folder) has no checkpoint to repeat"
    )
    try require(
      computation.processes == replicas?.size ?? 1,
      "\(record.folder) was computed by \(counted(computation.processes, "process")), and is repeated by as many"
    )
    try require(
      replicas == nil || original.status == .finished,
      "\(record.folder) is not finished: what several processes have computed is repeated as a whole"
    )
    if let difference = changedModel(of: original, in: record) { return difference }
    var fresh = try newManifest()
    computation.note(in: &fresh)
    if let difference = RunDifference.beforeTraining(original, fresh) { return difference }
    let repetition = Repetition(
      original: original,
      tensors: try makeEncoder(seed: plan.seeds[0]).encoder.state().entries.map(\.name)
    )
    let folder = FilePath(NSTemporaryDirectory()).appending("tessera-verify-\(UUID().uuidString)")
    let copy = try RunRecord.create(at: folder, fresh)
    defer { try? FileManager.default.removeItem(atPath: folder.string) }
    do {
      let repeated = try await run(
        in: copy,
        threads: computation.threads,
        replicas: replicas,
        repeating: repetition,
        observe: observe
      )
      try repetition.check(repeated)
    } catch let error as Repetition.Differs {
      return error.difference
    }
    for training in original.trainings where training.isFinished {
      let measured = try record.results(of: training.name)
      if try measured == copy.results(of: training.name) { continue }
      return RunDifference(
        training: training.name,
        round: training.rounds.count,
        what: "what was measured of it"
      )
    }
    return nil
  }

  /// The first model that is not the one that was written.
  private func changedModel(of original: RunManifest, in record: RunRecord) -> RunDifference? {
    for training in original.trainings where training.isFinished {
      guard let digest = training.modelDigest else { continue }
      let model = try? RetrievalModel(contentsOf: record.model(of: training.name))
      if model?.digest != digest {
        return RunDifference(
          training: training.name,
          round: training.rounds.count,
          what: "models/\(training.name) is not the model that was written"
        )
      }
    }
    return nil
  }
}
