import Foundation
import Synchronization
import SystemPackage
import TesseraCore
import TesseraFederation
import TesseraRun
import TesseraTesting
import Testing

/// A data set in CIFAR-10's format, small enough for whole experiments: each class is a brightness.
private struct SmallData {
  let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    var numbers = KeyedRandomNumbers(key: RandomKey(seed: 1))
    for name in (1...5).map({ "data_batch_\($0).bin" }) + ["test_batch.bin"] {
      var bytes: [UInt8] = []
      for _ in 0..<20 {
        let label = UInt8.random(in: 0..<10, using: &numbers)
        bytes.append(label)
        bytes += (0..<3072).map { _ in label * 20 + .random(in: 0..<40, using: &numbers) }
      }
      _ = try folder.file(name, bytes)
    }
  }

  func experiment(
    at path: FilePath? = nil,
    _ change: (inout ImageExperiment.Configuration) -> Void = { _ in }
  ) throws -> ImageExperiment {
    var configuration = ImageExperiment.Configuration(
      algorithms: [.fedavg],
      sites: 3,
      rounds: 3,
      batch: 8,
      lanes: 2,
      dataFolder: path ?? folder.path
    )
    change(&configuration)
    return try ImageExperiment(configuration)
  }

  func record(of experiment: ImageExperiment, _ name: String = "run") throws -> RunRecord {
    try RunRecord.create(at: folder.path.appending(name), experiment.newManifest())
  }
}

/// What a line of metrics is about.
private struct Line: Decodable, Equatable {
  var training: String
  var round: Int
  var site: String?

  static let expected = (1...3).flatMap { round in
    [Line(training: "fedavg", round: round)]
      + (1...3).map { Line(training: "fedavg", round: round, site: "site-\($0)") }
  }
}

@Suite struct ImageExperimentTests {
  private struct Interruption: Error {}
  private let data: SmallData

  init() throws { data = try SmallData() }

  /// What an experiment ends with that nothing disturbs.
  private func undisturbed() async throws -> RunManifest {
    let experiment = try data.experiment()
    return try await experiment.run(in: data.record(of: experiment, "undisturbed"))
  }

  @Test func aRunLeavesACompleteRecord() async throws {
    let experiment = try data.experiment()
    let record = try data.record(of: experiment)
    let manifest = try await experiment.run(in: record)
    #expect(try record.manifest() == manifest)
    #expect(manifest.status == .finished)
    #expect(manifest.trainings.map(\.rounds.count) == [3])
    #expect(Set(manifest.curves.keys) == ["site-1", "site-2", "site-3", "all data in one place"])
    #expect(manifest.results.count == 4)
    #expect(try Digest.sha256(ofFile: record.modelFile) == manifest.trainings[0].modelDigest)
    #expect(record.metrics(of: Line.self) == Line.expected)
    let names = try FileManager.default.contentsOfDirectory(atPath: record.folder.string)
    #expect(
      Set(names) == [
        "run.json", "journal.jsonl", "metrics.jsonl", "model.safetensors", "tensorboard",
      ]
    )
  }

  @Test func aRunThatCouldNotSaveARoundGoesOnFromTheOneBefore() async throws {
    let experiment = try data.experiment()
    let record = try data.record(of: experiment)
    // No file can take the name of a folder that holds something.
    let obstacle = record.folder.appending("state-fedavg-2.safetensors")
    try FileManager.default.createDirectory(
      atPath: obstacle.appending("x").string,
      withIntermediateDirectories: true
    )
    await #expect(throws: TensorError.self) { try await experiment.run(in: record) }
    let failed = try record.manifest()
    #expect(failed.status == .failed)
    #expect(failed.trainings[0].rounds.map(\.round) == [1])
    #expect(failed.message?.contains("state-fedavg-2") == true)
    try FileManager.default.removeItem(atPath: obstacle.string)
    let resumed = try await experiment.run(in: record)
    #expect(
      try await resumed.trainings[0].modelDigest == undisturbed().trainings[0].modelDigest
    )
  }

  @Test func aKillBetweenARoundAndItsLineLosesNoLine() async throws {
    let experiment = try data.experiment()
    let record = try data.record(of: experiment)
    await #expect(throws: Interruption.self) {
      try await experiment.run(
        in: record,
        checkRound: { if $0.roundCount == 2 { throw Interruption() } }
      )
    }
    try FileManager.default.removeItem(atPath: record.metricsFile.string)
    _ = try await experiment.run(in: record)
    #expect(record.metrics(of: Line.self) == Line.expected)
  }

  @Test func comparisonsThatWereFinishedAreKept() async throws {
    let experiment = try data.experiment { $0.lanes = 1 }
    let record = try data.record(of: experiment)
    await #expect(throws: CancellationError.self) {
      try await experiment.run(in: record) { event in
        guard case .comparisonFinished = event else { return }
        // The event comes from the only lane, which takes no further part once it is cancelled.
        withUnsafeCurrentTask { $0?.cancel() }
      }
    }
    let interrupted = try record.manifest()
    #expect(interrupted.status == .interrupted)
    #expect(interrupted.curves.count == 1)
    #expect(FileManager.default.fileExists(atPath: record.modelFile.string))
    let repeated = Mutex<[String]>([])
    let resumed = try await experiment.run(in: record) { event in
      if case .comparisonFinished(let name, _) = event { repeated.withLock { $0.append(name) } }
    }
    #expect(repeated.withLock { $0.count } == 3)
    #expect(repeated.withLock { Set($0) }.isDisjoint(with: interrupted.curves.keys))
    let expected = try await undisturbed()
    #expect(resumed.curves == expected.curves)
    #expect(resumed.results == expected.results)
  }

  @Test func aFinishedRunStaysAsItIs() async throws {
    let experiment = try data.experiment()
    let record = try data.record(of: experiment)
    let manifest = try await experiment.run(in: record)
    #expect(try await experiment.run(in: record) == manifest)
    #expect(try record.manifest() == manifest)
  }

  @Test func aRunThatGoesOnWithOtherVersionsSaysSo() async throws {
    let experiment = try data.experiment()
    let record = try data.record(of: experiment)
    await #expect(throws: Interruption.self) {
      try await experiment.run(in: record, checkRound: { _ in throw Interruption() })
    }
    var manifest = try record.manifest()
    #expect(manifest.laterVersions.isEmpty)
    manifest.versions["instructions"] = "another"
    try record.write(manifest)
    let resumed = try await experiment.run(in: record)
    #expect(resumed.laterVersions.count == 1)
    #expect(resumed.lastVersions["instructions"] == processorCapability)
  }

  @Test func aFolderIsTheSameByAnyOfItsNames() throws {
    let plain = try data.experiment().configuration
    let detour = data.folder.path.appending("x/..").appending(".")
    let other = try data.experiment(at: detour).configuration
    #expect(other == plain)
    #expect(ImageExperiment.Configuration(dataFolder: "here").dataFolder.isAbsolute)
  }

  @Test func aRunInUseIsLeftAlone() async throws {
    let experiment = try data.experiment()
    let record = try data.record(of: experiment)
    let lock = try record.lock()
    let error = await #expect(throws: RunError.self) { try await experiment.run(in: record) }
    #expect(error?.code == .inUse)
    withExtendedLifetime(lock) {}
  }

  @Test func aRepetitionFindsWhatWasChanged() async throws {
    let experiment = try data.experiment()
    let record = try data.record(of: experiment)
    let manifest = try await experiment.run(in: record)
    #expect(try await experiment.verify(record) == nil)
    #expect(try await data.experiment { $0.lanes = 3 }.verify(record) == nil)

    func difference(_ change: (inout RunManifest) -> Void) async throws -> String? {
      var changed = manifest
      change(&changed)
      try record.write(changed)
      return try await experiment.verify(record)?.description
    }
    #expect(try await difference { $0.results[0].accuracy = 0.99 } == "the results")
    #expect(
      try await difference { $0.configuration["momentum"] = "0.5" } == "the setting 'momentum'"
    )
    #expect(
      try await difference { $0.datasets[0].digest = "0" }?.hasPrefix("the data set '") == true
    )
    #expect(
      try await difference { $0.trainings[0].modelDigest = "0" }
        == "fedavg, round 3: model.safetensors is not the file that was written"
    )
    try record.write(manifest)

    /// What a repetition says of a journal that was written anew, with other events.
    func journaled(_ change: (RunEvent) -> RunEvent?) async throws -> String? {
      var events: [RunEvent] = []
      try Journal<RunEvent>.read(at: record.journalFile) { events.append($0) }
      let folder = data.folder.path.appending("changed-\(UUID().uuidString)")
      let copy = try RunRecord.create(at: folder, manifest)
      try FileManager.default.copyItem(
        atPath: record.modelFile.string,
        toPath: copy.modelFile.string
      )
      try Journal<RunEvent>.open(at: copy.journalFile).journal
        .append(contentsOf: events.compactMap(change))
      return try await experiment.verify(copy)?.description
    }
    func round(
      _ number: Int,
      _ change: @escaping (inout RunManifest.Round) -> Void
    )
      -> (RunEvent) -> RunEvent?
    {
      { event in
        guard case .roundFinished(let name, var round) = event, round.round == number else {
          return event
        }
        change(&round)
        return .roundFinished(training: name, result: round)
      }
    }
    #expect(try await journaled { $0 } == nil)
    #expect(
      try await journaled(round(2) { $0.tensors["head.bias"] = "0" })
        == "fedavg, round 2: tensor 'head.bias'"
    )
    #expect(try await journaled(round(3) { $0.loss = 0 }) == "fedavg, round 3: the loss")
    #expect(
      try await journaled { event in
        guard case .curveFinished("site-2", _) = event else { return event }
        return .curveFinished(name: "site-2", accuracies: [1, 1, 1])
      } == "the curve 'site-2'"
    )
    await #expect(throws: RunError.self) {
      try await journaled { if case .roundFinished = $0 { nil } else { $0 } }
    }
  }

  @Test func settingsComeBackFromTheRecord() throws {
    let experiment = try data.experiment {
      $0.division = .shards
      $0.shards = 3
      $0.targetAccuracy = 0.875
      $0.augments = true
      $0.fraction = 0.7
      $0.seed = 1 << 53
    }
    let manifest = try experiment.newManifest()
    let read = try ImageExperiment.Configuration(of: manifest, lanes: 2)
    #expect(read == experiment.configuration)
  }

  @Test(arguments: [
    ("sites", "0"), ("sites", "x"), ("rounds", "1000000000"), ("alpha", "1e-310"), ("alpha", "nan"),
    ("shards", "-1"), ("fraction", "2"), ("minimum sites", "4"), ("epochs", "0"), ("batch", "0"),
    ("augments", "maybe"), ("division", "evenly"), ("target accuracy", "9"),
  ])
  func aSettingThatCannotBeIsNamed(_ name: String, _ value: String) throws {
    var manifest = try data.experiment().newManifest()
    manifest.configuration[name] = value
    let error = #expect(throws: RunError.self) {
      try ImageExperiment.Configuration(of: manifest)
    }
    #expect(error?.code == .malformedRecord)
    #expect(error?.message.contains(name) == true)
    manifest.configuration[name] = nil
    guard name != "target accuracy" else { return }
    #expect(throws: RunError.self) { try ImageExperiment.Configuration(of: manifest) }
  }

  @Test func settingsAreCheckedBeforeDataAreRead() {
    for change: (inout ImageExperiment.Configuration) -> Void in [
      { $0.epochs = 0 }, { $0.lanes = 0 }, { $0.rounds = .max }, { $0.seed = .max },
    ] {
      #expect(throws: FederationError.self) {
        try data.experiment(at: "/nowhere", change)
      }
    }
  }

  @Test func theReportSaysWhereTheRunStands() async throws {
    var manifest = try await undisturbed()
    let record = try RunRecord.open(at: data.folder.path.appending("undisturbed"))
    let whole = ReportPage(manifest, of: record, folder: "runs/x").html
    #expect(whole.contains("one site alone (mean)"))
    #expect(whole.contains("./tessera verify runs/x"))
    manifest.status = .interrupted
    manifest.curves["site-2"] = nil
    manifest.results = []
    let interrupted = ReportPage(manifest, of: record, folder: "runs/x").html
    #expect(interrupted.contains("interrupted"))
    #expect(!interrupted.contains("one site alone (mean)"))
    manifest.status = .failed
    manifest.message = "the disk is <full>"
    #expect(
      ReportPage(manifest, of: record, folder: "r").html.contains(
        "failed: the disk is &lt;full&gt;"
      )
    )
    manifest.trainings[0].rounds = []
    manifest.curves = [:]
    #expect(ReportPage(manifest, of: record, folder: "r").html.contains("0 rounds"))
  }
}
