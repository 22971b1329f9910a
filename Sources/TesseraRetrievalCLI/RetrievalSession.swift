internal import ArgumentParser
internal import Foundation
internal import Synchronization
internal import SystemPackage
internal import TesseraCommandLine
internal import TesseraCore
internal import TesseraRetrieval
internal import TesseraRetrievalFederation
internal import TesseraRun

/// Work that someone watches: progress, and stopping on Ctrl-C.
final class RetrievalSession: Sendable {
  let output: ProgressOutput
  private let pace = Mutex(Pace())

  private struct Pace {
    var begin = ContinuousClock.now
    var steps = 0
  }

  /// A session.
  ///
  /// - Parameter json: Whether standard output is for a program: what is for people then goes to standard error.
  init(json: Bool = false) {
    output =
      json
      ? ProgressOutput(.plain) { text in
        try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
      } : ProgressOutput()
  }

  /// The benchmarks that are built when they are asked for, by the names that commands know them by.
  private static let benchmarks = [EmojiBenchmark(), .withNames]

  /// Whether a name is that of a benchmark; `nil` is the first.
  static func isBenchmark(_ name: String?) -> Bool {
    name.map { name in benchmarks.contains { $0.name == name } } ?? true
  }

  /// The data set of a folder, or the benchmark of that name, the first if `nil`, built before if need be.
  func dataset(_ folder: String?) async throws -> RetrievalDataset {
    let benchmark = Self.benchmarks.first { $0.name == folder ?? Self.benchmarks[0].name }
    guard let benchmark else {
      let folder = folder ?? ""
      output.line("Reading \(folder) …")
      return try await computing {
        let dataset = try RetrievalDataset(contentsOf: FilePath(folder))
        let leaks = dataset.leaks()
        if let first = leaks.first {
          self.output.line(
            """
            Warning: \(folder) has \(counted(leaks.count, "leak")) from what is held out into what is learned, so that what is measured \
            on it says less. The first: \(first).
            """
          )
        }
        return dataset
      }
    }
    let cache = Self.cacheFolder.appending(benchmark.name)
    let display = DatasetProgressDisplay(on: output)
    output.line("Reading the emoji benchmark, which is built when it is first used …")
    defer { output.clear() }
    return try await computing {
      try benchmark.dataset(cachedIn: cache) { progress in
        try Task.checkCancellation()
        display.show(progress)
      }
    }
  }

  /// Where data sets that were built are kept: `tessera` in the user's cache folder.
  private static var cacheFolder: FilePath {
    let environment = ProcessInfo.processInfo.environment
    if let cache = environment["XDG_CACHE_HOME"], cache.hasPrefix("/") {
      return FilePath(cache).appending("tessera")
    }
    return FilePath(environment["HOME"] ?? ".").appending(".cache").appending("tessera")
  }

  /// Carries out work on a thread of its own; Ctrl-C and `kill` cancel it.
  func computing<Result: Sendable>(
    threads: Int? = nil,
    _ body: @escaping @Sendable () async throws -> Result
  ) async throws -> Result {
    let lane = ComputeLane(threads: threads)
    let task = Task(executorPreference: lane) { try await body() }
    let signals = StopSignals { task.cancel() }
    defer { signals.cancel() }
    return try await task.value
  }

  /// An experiment, whose federated trainings happen in this process.
  func experiment(
    _ plan: RetrievalPlan,
    _ dataset: RetrievalDataset,
    on device: Device
  ) async throws -> RetrievalExperiment {
    try await computing {
      try RetrievalExperiment(plan, dataset, on: device) { try FederatedRetrieval($0) }
    }
  }

  /// What is measured of a data set: the standard tracks, or all of it if no concept is held out.
  func tracks(of dataset: RetrievalDataset, split: DatasetSplit) -> [RetrievalTrack] {
    let splits = Set(dataset.concepts.map(\.split))
    guard splits.contains(split), splits.contains(.train) else {
      return RetrievalTrack.whole(dataset)
    }
    return RetrievalTrack.Standard.allCases.map { RetrievalTrack($0, of: dataset, split: split) }
  }

  /// Collections that the benchmark's packages bring with them: sentences of stamps, and words of drawings.
  ///
  /// What is not on the machine, or damaged, is left out, and said.
  func otherCollections() throws -> [RetrievalDataset] {
    let readers: [(name: String, read: () throws -> CaptionedPictures)] = [
      ("Tux Paint's stamps", { try .tuxPaintStamps() }),
      ("Art4Apps' drawings", { try .art4Apps() }),
    ]
    return try readers.compactMap { name, read in
      try Task.checkCancellation()
      do {
        let (dataset, skipped) = try read().dataset(PictureLoader(size: 64)) { progress in
          try Task.checkCancellation()
          self.output.status("\(progress.step)  \(progress.done)/\(progress.total)")
        }
        if !skipped.isEmpty {
          output.line("\(name): \(counted(skipped.count, "picture")) cannot be read")
        }
        return dataset
      } catch let error as RetrievalError {
        output.line("\(name) are not measured: \(error.message)")
        return nil
      }
    }
  }

  /// Runs an experiment to its end, and writes its report.
  ///
  /// - Throws: `ExitCode(130)` if it was stopped; it can then be gone on with.
  func run(
    _ experiment: RetrievalExperiment,
    in folder: String?,
    threads: Int?,
    replicas: RetrievalReplicas? = nil
  ) async throws -> (record: RunRecord, manifest: RunManifest) {
    let record = try record(experiment, folder)
    output.line(
      """
      Training \(experiment.trainings.map(\.name).joined(separator: ", ")) into \(record.folder). Ctrl-C stops, and keeps \
      what is done.
      """
    )
    let task = Task {
      try await experiment.run(in: record, threads: threads, replicas: replicas) {
        self.show($0)
      }
    }
    let signals = StopSignals { task.cancel() }
    defer {
      signals.cancel()
      output.clear()
    }
    let manifest: RunManifest
    do {
      manifest = try await task.value
    } catch is CancellationError {
      output.line(
        "Stopped; what was finished is kept. The same command with --output \(record.folder) goes on."
      )
      throw ExitCode(130)
    }
    let report = try await computing {
      // A data set of one's own says nothing of these.
      let isBenchmark = Self.isBenchmark(experiment.plan.data)
      let others = isBenchmark ? try self.otherCollections() : []
      self.output.status("Writing the report …")
      return try experiment.report(manifest, of: record, others: others)
    }
    try report.write(to: record.reportFile)
    return (record, manifest)
  }

  /// Repeats a run, and compares.
  ///
  /// - Returns: The first difference; `nil` if there is none.
  /// - Throws: `CancellationError` if it was stopped.
  func repeating(
    _ experiment: RetrievalExperiment,
    _ record: RunRecord,
    _ replicas: RetrievalReplicas?
  ) async throws -> RunDifference? {
    output.line("Repeating \(record.folder). Ctrl-C stops.")
    defer { output.clear() }
    return try await computing {
      try await experiment.verify(record, replicas: replicas) { self.show($0) }
    }
  }

  private func record(_ experiment: RetrievalExperiment, _ folder: String?) throws -> RunRecord {
    guard let folder else {
      return try RunRecord.create(in: "runs", at: Date(), experiment.newManifest())
    }
    guard RunRecord.isRecord(FilePath(folder)) else {
      return try RunRecord.create(at: FilePath(folder), experiment.newManifest())
    }
    let record = try RunRecord.open(at: FilePath(folder))
    do {
      try experiment.checkGoesOn(record.manifest())
    } catch let error as RetrievalError where error.code == .invalidArgument {
      throw ValidationError("\(folder): \(error.message)")
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
      let recall =
        round.accuracy.map {
          String(format: "  mean recall of unseen captions %.1f %%", $0 * 100)
        } ?? ""
      let speed = String(format: "  %.0f pictures/s", round.examplesPerSecond)
      output.line(
        String(format: "  step %d  loss %.3f", steps, round.trainingLoss ?? 0) + recall + speed
      )
    case .measured(let name, let track, let recall):
      output.line(String(format: "  \(name)  \(track)  %.1f %%", recall * 100))
    }
  }

  private func losses(_ step: RetrievalTraining.Step) -> String {
    let parts = [
      step.pictureLoss.map { String(format: "pictures %.3f", $0) },
      step.translationLoss.map { String(format: "translations %.3f", $0) },
    ]
    return parts.compactMap { $0 }.joined(separator: "  ")
  }
}
