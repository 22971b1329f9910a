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
    for number in 1...3 {
      manifest.rounds.append(
        .init(
          round: number,
          model: "m\(number)",
          tensors: ["a": "x\(number)", "b": "y\(number)"],
          contributors: [.init(site: "site-1", weight: 3, loss: 0.5)],
          rejected: [],
          trainingLoss: 0.5,
          loss: 0.6,
          accuracy: 0.7,
          seconds: 1,
          imagesPerSecond: 3
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

  @Test func aTornLineOfMetricsIsIgnoredAndThenCut() throws {
    let record = try RunRecord.create(at: parent.appending("run"), Self.manifest())
    try record.append(metric: ["round": 1])
    let file = try #require(FileHandle(forWritingAtPath: record.metricsFile.string))
    try file.seekToEnd()
    try file.write(contentsOf: Data("{\"rou".utf8))
    try file.close()
    #expect(record.metrics(of: [String: Int].self) == [["round": 1]])
    try record.append(metric: ["round": 2])
    #expect(record.metrics(of: [String: Int].self) == [["round": 1], ["round": 2]])
  }

  @Test func aDamagedManifestNamesItsField() throws {
    let record = try RunRecord.create(at: parent.appending("run"), Self.manifest())
    let whole = try String(contentsOfFile: record.manifestFile.string, encoding: .utf8)
    for (text, field) in [
      (whole.replacingOccurrences(of: "\"seed\"", with: "\"sead\""), "seed"),
      (
        whole.replacingOccurrences(of: "\"accuracy\" : 0.7", with: "\"accuracy\" : \"x\""),
        "rounds.0.accuracy"
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

  @Test func theFirstDifferenceNamesRoundAndTensor() throws {
    let original = try Self.manifest()
    func difference(_ change: (inout RunManifest) -> Void) -> String? {
      var changed = original
      change(&changed)
      return RunDifference.first(between: original, and: changed, tensorOrder: ["b", "a"])?
        .description
    }
    #expect(difference { $0.trainingSeconds = 9 } == nil)
    #expect(difference { $0.rounds[1].tensors["a"] = "z" } == "round 2: tensor 'a'")
    #expect(
      difference {
        $0.rounds[2].tensors["a"] = "z"
        $0.rounds[2].tensors["b"] = "z"
      } == "round 3: tensor 'b'"
    )
    #expect(difference { $0.rounds[0].contributors = [] } == "round 1: who contributed")
    #expect(difference { $0.rounds.removeLast() }?.hasPrefix("round 3") == true)
    #expect(difference { $0.modelDigest = "d" }?.contains("model.safetensors") == true)
    #expect(difference { $0.curves["c"] = [1] } == "the curve 'c'")
  }
}
