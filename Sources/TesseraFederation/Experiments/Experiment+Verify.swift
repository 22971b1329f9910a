internal import Foundation
internal import SystemPackage
internal import TesseraCore
public import TesseraRun

/// Ends a repetition.
private struct Differs: Error { var difference: RunDifference }

extension Experiment {
  /// Repeats a run in a folder of its own, which is removed at the end, and compares everything it computed.
  ///
  ///     let record = try RunRecord.open(at: "runs/first")
  ///     let experiment = try ImageExperiment(.init(of: record.manifest()))
  ///     let difference = try await experiment.verify(record)
  ///
  /// A finished run is repeated as a whole; of an unfinished one, the rounds that are done. The repetition ends at the first
  /// difference. What the record does not have, being of an earlier version, is in ``RunManifest/notCompared``.
  ///
  /// - Parameters:
  ///   - record: A run of this experiment's configuration.
  ///   - observe: Is told what the repetition does.
  /// - Returns: The first difference, or `nil` if there is none.
  /// - Throws: ``RunError`` if the record is damaged or has no round, and what an experiment throws.
  public func verify(
    _ record: RunRecord,
    observe: @escaping @Sendable (ExperimentEvent) -> Void = { _ in }
  ) async throws -> RunDifference? {
    let original = try record.manifest()
    let isFinished = original.status == .finished
    let rounds = Dictionary(
      original.trainings.map { ($0.name, $0.rounds.count) }
    ) { first, _ in first }
    guard rounds.values.contains(where: { $0 > 0 }) else {
      throw RunError(
        code: .cannotResume,
        message: "\(record.folder) has no finished round to repeat"
      )
    }
    for training in original.trainings where training.modelDigest != nil {
      let file = record.modelFile(of: training.name, in: original)
      if try Digest.sha256(ofFile: file) != training.modelDigest {
        return RunDifference(
          training: training.name,
          round: training.rounds.count,
          what: "\(file.lastComponent?.string ?? "its model") is not the file that was written"
        )
      }
    }
    if isFinished, let difference = record.changedDocument(in: original) { return difference }
    let fresh = try newManifest()
    if let difference = RunDifference.beforeTraining(original, fresh) { return difference }
    let names = try tensorNames()
    let folder = FilePath(NSTemporaryDirectory()).appending("tessera-verify-\(UUID().uuidString)")
    let repetition = try RunRecord.create(at: folder, fresh)
    defer { try? FileManager.default.removeItem(atPath: folder.string) }

    do {
      var repeated = try await run(
        in: repetition,
        to: ExperimentLimit(rounds: rounds, isWhole: isFinished),
        observe: observe
      ) { manifest in
        // What is not computed yet is compared later.
        var expected = original
        for (index, training) in manifest.trainings.enumerated() {
          expected.trainings[index].rounds = Array(
            original.trainings[index].rounds.prefix(training.rounds.count)
          )
          expected.trainings[index].modelDigest = training.modelDigest
        }
        expected.curves = manifest.curves
        expected.results = manifest.results
        if let difference = RunDifference.first(
          between: expected,
          and: manifest,
          tensorOrder: names
        ) {
          throw Differs(difference: difference.located(in: record, original, and: repetition))
        }
      }
      if !isFinished {
        for (index, training) in original.trainings.enumerated() where training.modelDigest == nil {
          repeated.trainings[index].modelDigest = nil
        }
        repeated.curves = original.curves
        repeated.results = original.results
      }
      return RunDifference.first(between: original, and: repeated, tensorOrder: names)
    } catch let error as Differs {
      return error.difference
    }
  }
}
