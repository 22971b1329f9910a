import Foundation
import Synchronization
import SystemPackage
import TesseraCore
import TesseraFederation
import TesseraRun
import TesseraTesting
import Testing

/// A round of training, and every model on every site's data: five sites, of which the third has no model.
///
/// What a site measures depends on how often it was asked before, which it remembers.
private struct Evaluation {
  var folder: FilePath
  static let sites = (0..<5).map { Site(index: $0, name: "site-\($0 + 1)", exampleCount: 3 + $0) }

  static let executor = Doing { task, site in
    let asked = try site.memory["asked"]?["count"].map { try $0.item() } ?? 0
    site.memory["asked"] = try ModelState([(name: "count", tensor: Tensor(asked + 1))])
    switch task.name {
    case .train: return .weights(try task.model.mapTensors { try $1 + 1 }, samples: 3)
    case .submitModel:
      if site.site.index == 2 { throw Broken() }
      return .weights(try model([Double(site.site.index), asked]), samples: 3)
    default: return .metrics(["loss": asked + 0.1 * Double(site.site.index)], samples: 3)
    }
  }

  func run(killedAfter events: Int? = nil) async throws -> WorkflowState {
    let record: RunRecord
    if FileManager.default.fileExists(atPath: folder.string) {
      record = try RunRecord.open(at: folder)
    } else {
      var manifest = RunManifest(
        kind: "federation",
        configuration: [:],
        seed: 1,
        versions: [:],
        started: ""
      )
      manifest.trainings = [.init(name: "job", title: "Job")]
      record = try RunRecord.create(at: folder, manifest)
    }
    let count = Mutex(0)
    let run = try OpenRun(record) { _ in
      let number = count.withLock {
        $0 += 1
        return $0
      }
      if number == events { kill(getpid(), SIGKILL) }
    }
    let memories = try FolderSiteMemories(in: folder.appending("sites"))
    var training = RecordedTraining(
      name: "job",
      federation: Federation(
        workflow: try WorkflowChain([FedAvg(rounds: 1), CrossSiteEvaluation()]),
        transport: InProcessTransport(
          sites: Self.sites,
          worker: SiteWorker(executor: Self.executor, memories: memories),
          pool: LanePool(lanes: 2)
        ),
        key: RandomKey(seed: 1)
      ),
      initial: WorkflowState(model: try model([0, 0]))
    )
    training.memories = memories
    return try await training.run(in: run)
  }
}

@Suite struct RecordedEvaluationTests {
  private static func events(in folder: FilePath) throws -> [RunEvent] {
    var events: [RunEvent] = []
    try Journal<RunEvent>.read(at: RunRecord.open(at: folder).journalFile) { events.append($0) }
    return events
  }

  /// How often sites were asked for their models.
  private static func requests(in folder: FilePath) throws -> Int {
    try events(in: folder).count {
      if case .taskOpened(_, _, "submit model", _, _) = $0 { true } else { false }
    }
  }

  /// In the first round, in the global model's row, at several places of others, and at the end.
  @Test(arguments: [4, 11, 17, 19, 22, 27, 30, 38, 44, 45, 46, 50, 53, 54])
  func aKilledEvaluationGoesOnAfterItsLastRow(event: Int) async throws {
    let folder = try TemporaryFolder()
    let (wholePath, path) = (folder.path.appending("whole"), folder.path.appending("killed").string)
    let whole = try await Evaluation(folder: wholePath).run()
    let total = try Self.events(in: wholePath).count
    try #require(event < total, "\(total)")
    let result = await #expect(processExitsWith: .signal(SIGKILL)) {
      [path = path as String, event = event as Int] in
      _ = try await Evaluation(folder: FilePath(path)).run(killedAfter: event)
    }
    try #require(result != nil)
    let resumed = try await Evaluation(folder: FilePath(path)).run()
    #expect(resumed.documents == whole.documents)
    #expect(try resumed.model.isIdentical(to: whole.model))
    #expect(resumed.step == whole.step)
    // No row that was done is begun anew: at most the one that was under way.
    #expect(try Self.requests(in: wholePath) == 5)
    #expect(try Self.requests(in: FilePath(path)) <= 6)

    let rounds = try [wholePath, FilePath(path)].map { folder in
      try RunRecord.open(at: folder).manifest().trainings[0].rounds.map { round in
        var round = round
        (round.seconds, round.examplesPerSecond) = (0, 0)
        return round
      }
    }
    #expect(rounds[0] == rounds[1])
    #expect(rounds[0][1].documents?.keys.sorted() == ["cross-site evaluation", "workflow chain"])
    #expect(rounds[0][1].siteMemories?.count == 5)
    // What was kept of the round is gone with it.
    let files = try FileManager.default.contentsOfDirectory(atPath: path)
    #expect(!files.contains { $0.hasPrefix("progress-") }, "\(files)")
  }

  @Test func whatWasKeptOfAnotherRoundIsNotGoneOnFrom() async throws {
    let folder = try TemporaryFolder()
    let (wholePath, path) = (folder.path.appending("whole"), folder.path.appending("killed").string)
    let whole = try await Evaluation(folder: wholePath).run()
    for damage in ["", "{}", "not JSON"] {
      try? FileManager.default.removeItem(atPath: path)
      let result = await #expect(processExitsWith: .signal(SIGKILL)) {
        [path = path as String] in
        _ = try await Evaluation(folder: FilePath(path)).run(killedAfter: 30)
      }
      try #require(result != nil)
      let file = path + "/progress-job.json"
      #expect(FileManager.default.fileExists(atPath: file))
      try Data(damage.utf8).write(to: URL(filePath: file))
      #expect(try await Evaluation(folder: FilePath(path)).run().documents == whole.documents)
    }
  }
}

@Suite struct DocumentVerificationTests {
  private static let evaluation =
    JobFolder.job
    .replacingOccurrences(
      of: "workflow: {type: fedavg, rounds: 3, fraction: 0.7}",
      with: "workflows: [{type: fedavg, rounds: 2}, cross-site-evaluation]"
    )
    .replacingOccurrences(of: "  batch: 8", with: "  batch: 8\n  keeps_local_model: true")

  /// A finished run, and a copy of it whose rounds and files may be others.
  private struct Finished {
    let folder: JobFolder
    let run: JobRun
    let record: RunRecord
    let manifest: RunManifest

    init(_ folder: JobFolder) async throws {
      self.folder = folder
      run = try folder.run()
      record = try RunRecord.create(at: folder.folder.path.appending("run"), run.newManifest())
      manifest = try await run.run(in: record)
    }

    func changed(
      files: [String: String] = [:],
      _ change: (inout RunManifest.Round) -> Void
    ) async throws -> (difference: RunDifference?, manifest: RunManifest) {
      var events: [RunEvent] = []
      try Journal<RunEvent>.read(at: record.journalFile) { events.append($0) }
      let path = folder.folder.path.appending("changed-\(UUID().uuidString)")
      let copy = try RunRecord.create(at: path, manifest)
      for name in try FileManager.default.contentsOfDirectory(atPath: record.folder.string)
      where name.hasSuffix(".json") && name != "run.json" || name == "model.safetensors" {
        try FileManager.default.copyItem(
          atPath: record.folder.appending(name).string,
          toPath: path.appending(name).string
        )
      }
      for (name, text) in files {
        try Data(text.utf8).write(to: URL(filePath: path.appending(name).string))
      }
      try Journal<RunEvent>.open(at: copy.journalFile).journal.append(
        contentsOf: events.map { event in
          guard case .roundFinished(let training, var round) = event else { return event }
          change(&round)
          return .roundFinished(training: training, result: round)
        }
      )
      return (try await run.verify(copy), try copy.manifest())
    }
  }

  @Test func aMatrixThatDiffersIsNamedWithItsRowAndColumn() async throws {
    let finished = try await Finished(JobFolder(Self.evaluation))
    #expect(try await finished.run.verify(finished.record) == nil)
    #expect(finished.manifest.notCompared.isEmpty)
    let name = "small-cross-site-evaluation.json"
    let file = finished.record.folder.appending(name)
    let text = String(decoding: try Data(contentsOf: URL(filePath: file.string)), as: UTF8.self)
    var matrix = try JSONDecoder().decode(CrossSiteMatrix.self, from: Data(text.utf8))
    let row = try #require(matrix.models.firstIndex(of: "site-2"))
    matrix.cells[row][2]?.metrics["loss"] = 0.125
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let other = String(decoding: try encoder.encode(matrix), as: UTF8.self) + "\n"

    // The file alone was changed.
    let touched = try await finished.changed(files: [name: other]) { _ in }
    #expect(
      touched.difference?.description == "small, round 3: \(name) is not the file that was written"
    )
    // The run had another result.
    let digest = Digest.sha256(ofText: other)
    let differing = try await finished.changed(files: [name: other]) {
      if $0.round == 3 { $0.documents?["cross-site evaluation"] = digest }
    }
    #expect(
      differing.difference?.description == """
        small, round 3: the result 'cross-site evaluation': the row of 'site-2', the column of 'site-3'
        """
    )
    #expect(differing.difference?.document == "cross-site evaluation")
  }

  @Test func whatSitesRememberIsComparedToo() async throws {
    let finished = try await Finished(JobFolder(Self.evaluation))
    let difference = try await finished.changed {
      if $0.round == 2 { $0.siteMemories?["site-3"] = "0" }
    }.difference
    #expect(difference?.description == "small, round 2: what 'site-3' remembers")
  }

  @Test func anOlderRecordIsComparedAsFarAsItGoes() async throws {
    let finished = try await Finished(JobFolder(Self.evaluation))
    let old = try await finished.changed {
      $0.documents = nil
      $0.siteMemories = nil
    }
    #expect(old.difference == nil)
    #expect(old.manifest.notCompared == ["results that are no model", "what sites remember"])
    let wrong = try await finished.changed {
      $0.documents = nil
      $0.accuracy = 2
    }
    #expect(wrong.difference?.description == "small, round 1: the accuracy")
    #expect(wrong.manifest.notCompared == ["results that are no model"])
  }

  @Test func statisticsThatDifferAreNamedWithTheirKeys() async throws {
    let folder = try JobFolder(
      """
      name: tables
      workflow: {type: statistics}
      executor: {type: statistics, group_by: kind}

      """,
      data: "tables: {north: north.csv, south: south.csv}\n"
    )
    for (offset, name) in ["north.csv", "south.csv"].enumerated() {
      let rows = (0..<40).map { "\($0 % 2 == 0 ? "a" : "b"),\($0 + offset)" }
      let text = (["kind,age"] + rows).joined(separator: "\n")
      _ = try folder.folder.file(name, Array(text.utf8))
    }
    let finished = try await Finished(folder)
    #expect(try await finished.run.verify(finished.record) == nil)
    let file = finished.record.folder.appending("tables-statistics.json")
    let data = try Data(contentsOf: URL(filePath: file.string))
    var statistics = try JSONDecoder().decode(FederatedStatistics.self, from: data)
    statistics.global["b"]?["age"]?.sum += 1
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let other = String(decoding: try encoder.encode(statistics), as: UTF8.self) + "\n"
    let digest = Digest.sha256(ofText: other)
    let difference = try await finished.changed(files: ["tables-statistics.json": other]) {
      $0.documents?["statistics"] = digest
    }.difference
    #expect(
      difference?.description
        == "tables, round 1: the result 'statistics': 'global', 'b', 'age', 'sum'"
    )
  }
}
