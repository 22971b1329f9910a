import Foundation
import SystemPackage
import TesseraCore
import TesseraRun
import TesseraTesting
import Testing

@Suite struct RecordTests {
  let folder: TemporaryFolder
  var parent: FilePath { folder.path }

  init() throws { folder = try TemporaryFolder() }

  static func manifest() throws -> RunManifest {
    var manifest = RunManifest(
      kind: "quickstart",
      configuration: ["sites": "2"],
      seed: 7,
      versions: [:],
      started: "2026-01-02T03:04:05Z"
    )
    manifest.sites = [.init(name: "site-1", examples: 3, labelCounts: [1, 2])]
    manifest.trainings = [.init(name: "fedavg", title: "FedAvg")]
    return manifest
  }

  /// A manifest of a run that has done something.
  static func finishedManifest() throws -> RunManifest {
    var manifest = try manifest()
    for number in 1...3 {
      manifest.trainings[0].rounds.append(
        .init(
          round: number,
          model: "m\(number)",
          tensors: ["a": "x\(number)", "b": "y\(number)"],
          contributors: [.init(site: "site-1", weight: 3, metrics: ["loss": 0.5])],
          rejected: [],
          trainingLoss: 0.5,
          loss: 0.6,
          accuracy: 0.7,
          seconds: 1,
          examplesPerSecond: 3
        )
      )
    }
    return manifest
  }

  @Test func aRecordIsReadBackAsItWasWritten() throws {
    var manifest = try Self.manifest()
    let record = try RunRecord.create(at: parent.appending("run"), manifest)
    manifest.status = .finished
    try record.write(manifest)
    #expect(try RunRecord.open(at: record.folder).manifest() == manifest)
    #expect(RunRecord.list(in: parent).runs.map(\.manifest) == [manifest])
  }

  @Test func aTornLineOfMetricsIsIgnoredAndReplaced() throws {
    let record = try RunRecord.create(at: parent.appending("run"), Self.manifest())
    try record.append(metrics: [["round": 1]])
    try record.append(metrics: [["round": 2]])
    let file = try #require(FileHandle(forWritingAtPath: record.metricsFile.string))
    try file.seekToEnd()
    try file.write(contentsOf: Data("{\"rou".utf8))
    try file.close()
    #expect(record.metrics(of: [String: Int].self) == [["round": 1], ["round": 2]])
    try record.write(metrics: [["round": 1]])
    try record.append(metrics: [["round": 2]])
    #expect(record.metrics(of: [String: Int].self) == [["round": 1], ["round": 2]])
  }

  @Test func anInfiniteLossIsKept() throws {
    var manifest = try Self.manifest()
    let record = try RunRecord.create(at: parent.appending("run"), manifest)
    manifest.trainings[0].rounds = [try Self.finishedManifest().trainings[0].rounds[0]]
    manifest.trainings[0].rounds[0].loss = .infinity
    try Journal<RunEvent>.open(at: record.journalFile).journal
      .append(.roundFinished(training: "fedavg", result: manifest.trainings[0].rounds[0]))
    #expect(try record.manifest() == manifest)
    try record.append(metrics: [["loss": -Double.infinity]])
    #expect(record.metrics(of: [String: Double].self) == [["loss": -.infinity]])
  }

  @Test func onlyOneProcessWritesToARecord() throws {
    let record = try RunRecord.create(at: parent.appending("run"), Self.manifest())
    #expect(!record.isInUse)
    var lock: RecordLock? = try record.lock()
    #expect(record.isInUse)
    let error = #expect(throws: RunError.self) { try record.lock() }
    #expect(error?.code == .inUse)
    #expect(error?.message.contains("\(record.folder)") == true)
    withExtendedLifetime(lock) {}
    lock = nil
    #expect(!record.isInUse)
  }

  @Test func runsOfOneMinuteGetFoldersOfTheirOwn() throws {
    let date = Date(timeIntervalSince1970: 1_800_000_000)
    let runs = parent.appending("deep/runs")
    let names = try (0..<3).map { _ in
      try RunRecord.create(in: runs, at: date, Self.manifest()).folder.lastComponent?.string ?? ""
    }
    #expect(Set(names).count == 3)
    #expect(names.allSatisfy { $0.contains("quickstart") })
    #expect(RunRecord.list(in: runs).runs.count == 3)
    let own = try #require(RunRecord.list(in: runs).runs.first).record.folder
    #expect(RunRecord.list(in: own).runs.map(\.record.folder) == [own])
  }

  @Test func whatAKillLeftHalfWrittenIsRemoved() throws {
    let record = try RunRecord.create(at: parent.appending("run"), Self.manifest())
    for name in [".run.json.x.partial", ".checkpoint-1.safetensors.y.partial", ".other"] {
      try Data().write(to: URL(filePath: record.folder.appending(name).string))
    }
    record.removePartialFiles()
    let names = try FileManager.default.contentsOfDirectory(atPath: record.folder.string)
    #expect(Set(names) == ["run.json", ".other"])
  }

  @Test func aFolderThatCannotBeUsedIsLeftAsItWas() throws {
    let record = try RunRecord.create(at: parent.appending("run"), Self.manifest())
    #expect(throws: RunError.self) {
      try RunRecord.create(at: record.manifestFile.appending("a/b"), Self.manifest())
    }
    let empty = parent.appending("empty")
    try FileManager.default.createDirectory(
      atPath: empty.string,
      withIntermediateDirectories: true
    )
    #expect(throws: Never.self) { try RunRecord.create(at: empty, Self.manifest()) }
  }

  @Test func aDamagedManifestNamesItsField() throws {
    let record = try RunRecord.create(at: parent.appending("run"), Self.manifest())
    let whole = try String(contentsOfFile: record.manifestFile.string, encoding: .utf8)
    for (text, field) in [
      (whole.replacingOccurrences(of: "\"seed\"", with: "\"sead\""), "seed"),
      (
        whole.replacingOccurrences(of: "\"examples\" : 3", with: "\"examples\" : \"x\""),
        "sites.0.examples"
      ),
      (String(whole.dropLast(20)), "not JSON"), ("", "not JSON"),
    ] {
      try text.write(toFile: record.manifestFile.string, atomically: true, encoding: .utf8)
      let error = #expect(throws: RunError.self) { try record.manifest() }
      #expect(error?.message.contains(field) == true)
      #expect(error?.message.contains("run.json") == true)
      #expect(RunRecord.list(in: parent).damaged.count == 1)
    }
  }

  @Test func aJournalThatDoesNotFitTheRunIsRefused() throws {
    let rounds = try Self.finishedManifest().trainings[0].rounds
    for (events, reason): ([RunEvent], String) in [
      ([.roundFinished(training: "fedprox", result: rounds[0])], "'fedprox'"),
      (
        [.roundFinished(training: "fedavg", result: rounds[1])],
        "round 2 of 'fedavg' after 0 rounds"
      ),
    ] {
      let folder = parent.appending("run-\(reason.count)")
      let record = try RunRecord.create(at: folder, Self.manifest())
      try Journal<RunEvent>.open(at: record.journalFile).journal.append(contentsOf: events)
      let error = #expect(throws: RunError.self) { try record.manifest() }
      #expect(error?.code == .malformedRecord)
      #expect(error?.message.contains(reason) == true)
    }
  }

  @Test func aFolderInUseIsNotTakenOver() throws {
    let record = try RunRecord.create(at: parent.appending("run"), Self.manifest())
    #expect(throws: RunError.self) { try RunRecord.create(at: record.folder, Self.manifest()) }
    #expect(throws: RunError.self) {
      try RunRecord.create(at: record.manifestFile, Self.manifest())
    }
    #expect(throws: RunError.self) { try RunRecord.open(at: parent) }
  }

  @Test func digestsTellNamesDtypesShapesAndElementsApart() throws {
    let tensors: [(String, Tensor)] = [
      ("a", try Tensor([1, 2] as [Float])), ("b", try Tensor([1, 2] as [Float])),
      ("a", try Tensor([1, 2] as [Float], shape: [1, 2])), ("a", try Tensor([1, 3] as [Float])),
      ("a", try Tensor([1, 2] as [Int32])),
    ]
    let digests = try tensors.map { try Digest.sha256(of: $1, named: $0) }
    #expect(Set(digests).count == digests.count)
    #expect(digests.allSatisfy { $0.count == 64 })
  }

  @Test func filesHaveOneDigestThatSha256sumGives() throws {
    let a = try folder.file("b.txt", Array("two".utf8))
    let b = try folder.file("a.txt", Array("one".utf8))
    let ours = try Digest.sha256(ofFiles: [a, b], in: folder.path)
    let shell = Process()
    shell.executableURL = URL(filePath: "/bin/sh")
    shell.arguments = ["-c", "cd \(folder.path) && sha256sum a.txt b.txt | sha256sum"]
    let output = Pipe()
    shell.standardOutput = output
    try shell.run()
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    shell.waitUntilExit()
    #expect(text == "\(ours)  -\n")
  }

  @Test func theFirstDifferenceNamesRoundAndTensor() throws {
    let original = try Self.finishedManifest()
    func difference(_ change: (inout RunManifest) -> Void) -> String? {
      var changed = original
      change(&changed)
      return RunDifference.first(between: original, and: changed, tensorOrder: ["b", "a"])?
        .description
    }
    #expect(difference { $0.trainingSeconds = 9 } == nil)
    #expect(
      difference { $0.trainings[0].rounds[1].tensors["a"] = "z" } == "fedavg, round 2: tensor 'a'"
    )
    #expect(
      difference {
        $0.trainings[0].rounds[2].tensors["a"] = "z"
        $0.trainings[0].rounds[2].tensors["b"] = "z"
      } == "fedavg, round 3: tensor 'b'"
    )
    #expect(
      difference { $0.trainings[0].rounds[0].contributors = [] }
        == "fedavg, round 1: who contributed"
    )
    #expect(
      difference { $0.trainings[0].rounds.removeLast() }?.hasPrefix("fedavg, round 3") == true
    )
    #expect(difference { $0.trainings[0].modelDigest = "d" }?.contains("the model's file") == true)
    #expect(difference { $0.curves["c"] = [1] } == "the curve 'c'")
    #expect(difference { $0.trainings[0].rounds[1].loss = 9 } == "fedavg, round 2: the loss")
    #expect(
      difference { $0.trainings[0].rounds[1].trainingLoss = 9 }
        == "fedavg, round 2: the training loss"
    )
    #expect(
      difference { $0.trainings[0].rounds[1].contributors[0].metrics["loss"] = 9 }
        == "fedavg, round 2: a site's measurements"
    )
    #expect(
      difference { $0.trainings[0].rounds[1].rejected = [.init(site: "site-1", reason: "r")] }
        == "fedavg, round 2: whose updates were not used"
    )
    #expect(difference { $0.results = [.init(name: "n", accuracy: 1)] } == "the results")
    #expect(difference { $0.configuration["sites"] = "3" } == "the setting 'sites'")
    #expect(difference { $0.configuration["lanes"] = "3" } == nil)
    #expect(difference { $0.seed = 8 } == "the seed")
    #expect(difference { $0.classNames = ["c"] } == "the data sets")
    #expect(difference { $0.sites[0].examples = 4 } == "the division among sites")
    #expect(difference { $0.initialModel = "m" } == "the initial model")
  }
}
