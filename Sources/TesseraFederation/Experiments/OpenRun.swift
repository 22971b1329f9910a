internal import Synchronization
internal import TesseraRun

/// A run that is being carried out: its manifest, changed from any lane and saved with each change.
final class OpenRun: Sendable {
  let record: RunRecord
  private let state: Mutex<RunManifest>
  private let start = ContinuousClock.now
  private let secondsBefore: Double

  /// Begins a run, or goes on with one; the record says so from then on.
  init(_ record: RunRecord) throws {
    record.removePartialFiles()
    var manifest = try record.manifest()
    manifest.status = .running
    manifest.message = nil
    if manifest.lastVersions != Versions.current {
      manifest.laterVersions.append(
        .init(afterRound: manifest.rounds.count, versions: Versions.current)
      )
    }
    self.record = record
    secondsBefore = manifest.trainingSeconds
    try record.write(manifest)
    // A kill may have come between a round and its line.
    try record.write(metrics: manifest.rounds.map(RoundMetric.init))
    state = Mutex(manifest)
  }

  var manifest: RunManifest { state.withLock { $0 } }

  /// Changes the manifest and saves it; if it cannot be saved, it is not changed.
  func save(_ change: (inout RunManifest) -> Void) throws -> RunManifest {
    let seconds = secondsBefore + (ContinuousClock.now - start) / .seconds(1)
    return try state.withLock { manifest in
      var changed = manifest
      change(&changed)
      changed.trainingSeconds = seconds
      try record.write(changed)
      manifest = changed
      return changed
    }
  }
}

/// A round's line in `metrics.jsonl`.
struct RoundMetric: Codable {
  var round: Int
  var accuracy: Double
  var loss: Double
  var trainingLoss: Double?
  var seconds: Double
  var imagesPerSecond: Double

  init(_ round: RunManifest.Round) {
    self.round = round.round
    accuracy = round.accuracy
    loss = round.loss
    trainingLoss = round.trainingLoss
    seconds = round.seconds
    imagesPerSecond = round.imagesPerSecond
  }
}
