internal import Foundation
internal import Synchronization
internal import SystemPackage

/// A run that is being carried out: its record, locked; its journal; and its manifest, changed from any thread.
public final class OpenRun: Sendable {
  /// Where the run is recorded.
  public let record: RunRecord
  private let lock: RecordLock
  private let journal: Journal<RunEvent>
  private let state: Mutex<RunManifest>
  private let didAppend: @Sendable (RunEvent) -> Void
  private let curves: TensorBoardFolder
  /// Whether `metrics.jsonl` lacks lines of rounds that are in the journal.
  private let lacksMetrics = Mutex(false)
  private let start = ContinuousClock.now
  private let secondsBefore: Double

  /// Begins a run, or goes on with one; the record says so from then on.
  ///
  /// - Parameters:
  ///   - record: Where the run is recorded.
  ///   - didAppend: Is called when an event is in the journal, from any thread.
  /// - Throws: ``RunError`` with code ``RunError/Code/inUse`` if another process has it; with others if it is damaged or
  ///   cannot be written.
  public init(
    _ record: RunRecord,
    didAppend: @escaping @Sendable (RunEvent) -> Void = { _ in }
  ) throws {
    self.didAppend = didAppend
    lock = try record.lock()
    record.removePartialFiles()
    self.record = record
    curves = TensorBoardFolder(record.folder.appending("tensorboard"))
    var manifest = try record.manifestBeforeJournal()
    // A run that is finished stays as it is.
    let isNew = !FileManager.default.fileExists(atPath: record.journalFile.string)
    // Not all of its events were waited for: what a power cut has left of those is cut off.
    journal = try Journal<RunEvent>.open(at: record.journalFile, endsAtHoles: true) {
      try manifest.apply($0)
    }
    secondsBefore = manifest.trainingSeconds
    if manifest.status != .finished {
      if !isNew {
        let event = RunEvent.resumed(versions: Versions.current)
        try journal.append(event)
        try manifest.apply(event)
      }
      manifest.status = .running
      manifest.message = nil
      try record.write(manifest)
      // A kill may have come between a round and its lines.
      try record.write(metrics: manifest.trainings.flatMap { RoundMetric.lines(of: $0) })
    }
    state = Mutex(manifest)
  }

  /// What the run has done so far.
  public var manifest: RunManifest { state.withLock { $0 } }

  /// Adds an event to the journal, and to the manifest what it says.
  ///
  /// - Parameters:
  ///   - event: What happened.
  ///   - efforts: Of a round that is finished, what it took of sites, by their names: curves have it, and nothing else.
  /// - Throws: ``RunError`` with code ``RunError/Code/cannotWrite`` if the event is not in the journal; nothing is changed then. What is
  ///   made from the journal, metrics and curves, is no reason to throw: metrics are written with a later round or at the end.
  public func append(
    _ event: RunEvent,
    efforts: [String: [String: Double]] = [:]
  ) throws {
    try journal.append(event, isDurable: event.isDurable)
    didAppend(event)
    try state.withLock { try $0.apply(event) }
    guard case .roundFinished(let training, let round) = event else { return }
    if lacksMetrics.withLock({ $0 }) {
      try? writeMetrics(of: manifest)
    } else {
      do {
        try record.append(metrics: RoundMetric.lines(of: round, in: training))
      } catch { lacksMetrics.withLock { $0 = true } }
    }
    try? curves.add(round, of: training, efforts: efforts, at: .now)
  }

  /// Waits until all events are on the disk.
  ///
  /// - Throws: ``RunError`` with code ``RunError/Code/cannotWrite``.
  public func synchronize() throws { try journal.synchronize() }

  /// Writes `metrics.jsonl` anew.
  private func writeMetrics(of manifest: RunManifest) throws {
    try record.write(metrics: manifest.trainings.flatMap { RoundMetric.lines(of: $0) })
    lacksMetrics.withLock { $0 = false }
  }

  /// Changes the manifest and saves it, and what `metrics.jsonl` lacks; if it cannot be saved, it is not changed.
  ///
  /// - Returns: The manifest as it is saved.
  /// - Throws: ``RunError`` if it cannot be written.
  @discardableResult
  public func save(_ change: (inout RunManifest) -> Void) throws -> RunManifest {
    let seconds = secondsBefore + (ContinuousClock.now - start) / .seconds(1)
    return try state.withLock { manifest in
      if lacksMetrics.withLock({ $0 }) { try writeMetrics(of: manifest) }
      var changed = manifest
      change(&changed)
      changed.trainingSeconds = seconds
      try record.write(changed)
      manifest = changed
      return changed
    }
  }
}

/// A line in `metrics.jsonl`: what a round, or a site in a round, came to.
struct RoundMetric: Codable {
  var training: String
  var round: Int
  var site: String?
  var metrics: [String: Double]

  /// The lines of a round: first the round's own, then one for each site.
  static func lines(of round: RunManifest.Round, in training: String) -> [RoundMetric] {
    var metrics = ["seconds": round.seconds, "examplesPerSecond": round.examplesPerSecond]
    metrics["accuracy"] = round.accuracy
    metrics["loss"] = round.loss
    metrics["trainingLoss"] = round.trainingLoss
    metrics["compression"] = round.compression
    metrics["bytesDown"] = Double(round.bytesDown)
    metrics["bytesUp"] = Double(round.bytesUp)
    for (owner, epsilon) in round.epsilon { metrics["epsilon \(owner)"] = epsilon }
    let own = RoundMetric(training: training, round: round.round, site: nil, metrics: metrics)
    return [own]
      + round.contributors.map { part in
        RoundMetric(
          training: training,
          round: round.round,
          site: part.site,
          metrics: part.metrics.merging(["weight": part.weight]) { $1 }
        )
      }
  }

  static func lines(of training: RunManifest.Training) -> [RoundMetric] {
    training.rounds.flatMap { lines(of: $0, in: training.name) }
  }
}
