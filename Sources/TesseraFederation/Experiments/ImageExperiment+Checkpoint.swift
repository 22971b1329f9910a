internal import Foundation
internal import SystemPackage
internal import TesseraCore
internal import TesseraRun

// The model after round n is in `checkpoint-n.safetensors` before run.json says that the round is done, and the earlier one
// goes only afterwards: a kill between any two steps leaves a pair that fits.
extension ImageExperiment {
  func saveCheckpoint(_ model: ModelState, after round: Int, in record: RunRecord) throws {
    try model.write(to: checkpointFile(round, in: record))
  }

  /// The model after the manifest's last round.
  func checkpoint(
    in record: RunRecord,
    _ manifest: RunManifest,
    like initial: ModelState
  ) throws -> ModelState {
    guard let last = manifest.rounds.last else { return initial }
    func cannot(_ reason: String) -> RunError {
      RunError(code: .cannotResume, message: "cannot resume \(record.folder): \(reason)")
    }
    let file = checkpointFile(last.round, in: record)
    let loaded = try ModelState(contentsOf: file)
    let state = try initial.mapTensors { name, _ in
      guard let tensor = loaded[name] else { throw cannot("\(file) has no tensor '\(name)'") }
      return try tensor.copied()
    }
    guard try Digest.sha256(of: state).model == last.model else {
      throw cannot("\(file) is not the model that run.json describes after round \(last.round)")
    }
    return state
  }

  func removeCheckpoints(in record: RunRecord, except round: Int?) {
    let kept = round.map { checkpointFile($0, in: record).lastComponent?.string }
    let names = (try? FileManager.default.contentsOfDirectory(atPath: record.folder.string)) ?? []
    for name in names
    where name.hasPrefix("checkpoint-") && name.hasSuffix(".safetensors") && name != kept {
      // A file that stays is harmless: resuming reads the one that run.json names.
      unlink(record.folder.appending(name).string)
    }
  }

  private func checkpointFile(_ round: Int, in record: RunRecord) -> FilePath {
    record.folder.appending("checkpoint-\(round).safetensors")
  }
}
