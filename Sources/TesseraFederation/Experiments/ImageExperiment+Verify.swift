internal import Foundation
internal import SystemPackage
internal import TesseraCore
public import TesseraRun

extension ImageExperiment {
  /// Repeats a run in a folder of its own, which is removed at the end, and compares everything it computed.
  ///
  /// A finished run is repeated as a whole; of an unfinished one, the rounds that are done. The repetition ends at the first
  /// difference.
  ///
  /// - Parameters:
  ///   - record: The run.
  ///   - lanes: How many threads compute; all cores if `nil`.
  ///   - finishRound: Is called after each round that is identical, with its number and the number of rounds.
  /// - Returns: The first difference, or `nil` if there is none.
  /// - Throws: ``RunError`` if the record is damaged, and what an experiment throws.
  public static func verify(
    _ record: RunRecord,
    lanes: Int? = nil,
    finishRound: (_ round: Int, _ of: Int) -> Void
  ) async throws -> RunDifference? {
    let original = try record.manifest()
    let isFinished = original.status == .finished
    if isFinished {
      let digest = try Digest.sha256(ofFile: record.modelFile)
      guard digest == original.modelDigest else {
        return RunDifference(
          round: original.rounds.count,
          what: "model.safetensors is not the file that was written"
        )
      }
    }
    let rounds = original.rounds.count
    guard rounds > 0 else {
      throw RunError(
        code: .cannotResume,
        message: "\(record.folder) has no finished round to repeat"
      )
    }
    let experiment = try ImageExperiment(configuration(of: original, lanes: lanes))
    let names = try experiment.training.initialState(key: experiment.key).names
    let folder = FilePath(NSTemporaryDirectory()).appending("tessera-verify-\(UUID().uuidString)")
    let repetition = try RunRecord.create(at: folder, experiment.newManifest())
    defer { try? FileManager.default.removeItem(atPath: folder.string) }

    struct Differs: Error { var difference: RunDifference }
    do {
      var repeated = try await experiment.run(
        in: repetition,
        through: rounds,
        comparisons: isFinished
      ) { _ in
      } checkRound: { manifest in
        var expected = original
        expected.rounds = Array(original.rounds.prefix(manifest.rounds.count))
        expected.curves = [:]
        expected.modelDigest = nil
        if let difference = RunDifference.first(
          between: expected,
          and: manifest,
          tensorOrder: names
        ) {
          throw Differs(difference: difference)
        }
        finishRound(manifest.rounds.count, original.rounds.count)
      }
      if !isFinished {
        repeated.modelDigest = original.modelDigest
        repeated.curves = original.curves
      }
      return RunDifference.first(between: original, and: repeated, tensorOrder: names)
    } catch let error as Differs {
      return error.difference
    }
  }
}
