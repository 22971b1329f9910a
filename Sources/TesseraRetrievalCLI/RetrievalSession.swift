internal import ArgumentParser
internal import Foundation
internal import Synchronization
internal import SystemPackage
internal import TesseraCommandLine
internal import TesseraRetrieval
internal import TesseraRun

/// A run that someone watches.
final class RetrievalSession: Sendable {
  let output = ProgressOutput()
  private let pace = Mutex(Pace())

  private struct Pace {
    var begin = ContinuousClock.now
    var steps = 0
  }

  /// The data set of a plan.
  func dataset(_ folder: String?) throws -> RetrievalDataset {
    guard let folder else {
      throw ValidationError("name the folder of a data set by 'data'")
    }
    output.line("Reading \(folder) …")
    return try RetrievalDataset(contentsOf: FilePath(folder))
  }

  /// Runs an experiment to its end.
  ///
  /// - Throws: `ExitCode(130)` if it was stopped; it can then be gone on with.
  func run(_ experiment: RetrievalExperiment, in folder: String?, threads: Int?) async throws {
    let record = try record(experiment, folder)
    output.line(
      "Training \(experiment.trainings.map(\.name).joined(separator: ", ")) into \(record.folder). Ctrl-C stops, and keeps what is done."
    )
    let task = Task {
      try await experiment.run(in: record, threads: threads) { self.show($0) }
    }
    let signals = StopSignals { task.cancel() }
    defer {
      signals.cancel()
      output.clear()
    }
    _ = try await task.value
  }

  private func record(_ experiment: RetrievalExperiment, _ folder: String?) throws -> RunRecord {
    guard let folder else {
      return try RunRecord.create(in: "runs", at: Date(), experiment.newManifest())
    }
    guard RunRecord.isRecord(FilePath(folder)) else {
      return try RunRecord.create(at: FilePath(folder), experiment.newManifest())
    }
    let record = try RunRecord.open(at: FilePath(folder))
    guard try RetrievalExperiment.plan(of: record.manifest()) == experiment.plan else {
      throw ValidationError("\(folder) is of a run with another plan: name a new folder")
    }
    return record
  }

  private func show(_ event: RetrievalExperiment.Event) {
    switch event {
    case .trainingStarted(let name, let title, let steps, let all):
      pace.withLock { $0 = Pace() }
      let begun = steps > 0 ? ", from step \(steps) of \(all) on" : ", \(all) steps"
      output.line("\(title) (\(name))\(begun):")
    case .stepFinished(let step, let all):
      let (seconds, steps) = pace.withLock { pace in
        pace.steps += 1
        return ((ContinuousClock.now - pace.begin) / .seconds(1), pace.steps)
      }
      let left = seconds / Double(steps) * Double(all - step.number)
      output.status(
        "  step \(step.number)/\(all)  \(losses(step))  \(TimeLeft.text(left)) left"
      )
    case .checkpointFinished(let round, let steps):
      let recall = round.accuracy.map { String(format: "%.1f %%", $0 * 100) } ?? "–"
      output.line(
        String(
          format: "  step %d  loss %.3f  mean recall of unseen captions %@  %.0f pictures/s",
          steps,
          round.trainingLoss ?? 0,
          recall,
          round.examplesPerSecond
        )
      )
    case .measured(let name, let track, let recall):
      output.line(String(format: "  %@  %@  %.1f %%", name, track, recall * 100))
    }
  }

  private func losses(_ step: RetrievalTraining.Step) -> String {
    var text = String(format: "pictures %.3f", step.pictureLoss)
    if let other = step.translationLoss { text += String(format: "  translations %.3f", other) }
    return text
  }
}
