internal import Foundation
internal import SystemPackage
internal import TesseraCore
public import TesseraRun

extension ImageExperiment {
  /// Repeats a run in a folder of its own, which is removed at the end, and compares everything it computed.
  ///
  ///     let record = try RunRecord.open(at: "runs/first")
  ///     let experiment = try ImageExperiment(.init(of: record.manifest()))
  ///     let difference = try await experiment.verify(record)
  ///
  /// A finished run is repeated as a whole; of an unfinished one, the rounds that are done. The repetition ends at the first
  /// difference.
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
    let rounds = original.rounds.count
    guard rounds > 0 else {
      throw RunError(
        code: .cannotResume,
        message: "\(record.folder) has no finished round to repeat"
      )
    }
    if isFinished, try Digest.sha256(ofFile: record.modelFile) != original.modelDigest {
      return RunDifference(
        round: rounds,
        what: "model.safetensors is not the file that was written"
      )
    }
    let fresh = try newManifest()
    if let difference = RunDifference.beforeTraining(original, fresh) { return difference }
    let names = try training.initialState(key: key).names
    let folder = FilePath(NSTemporaryDirectory()).appending("tessera-verify-\(UUID().uuidString)")
    let repetition = try RunRecord.create(at: folder, fresh)
    defer { try? FileManager.default.removeItem(atPath: folder.string) }

    struct Differs: Error { var difference: RunDifference }
    do {
      var repeated = try await run(
        in: repetition,
        through: rounds,
        comparisons: isFinished,
        observe: observe
      ) { manifest in
        var expected = original
        expected.rounds = Array(original.rounds.prefix(manifest.rounds.count))
        expected.curves = [:]
        expected.results = []
        expected.modelDigest = nil
        if let difference = RunDifference.first(
          between: expected,
          and: manifest,
          tensorOrder: names
        ) {
          throw Differs(difference: difference)
        }
      }
      if !isFinished {
        repeated.modelDigest = original.modelDigest
        repeated.curves = original.curves
        repeated.results = original.results
      }
      return RunDifference.first(between: original, and: repeated, tensorOrder: names)
    } catch let error as Differs {
      return error.difference
    }
  }
}
