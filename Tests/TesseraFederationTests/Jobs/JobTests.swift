import Foundation
import SystemPackage
import TesseraConfiguration
import TesseraCore
import TesseraFederation
import TesseraRun
import TesseraTesting
import Testing

/// A job's folder, with a data set in CIFAR-10's format that takes no time.
struct JobFolder {
  let folder: TemporaryFolder

  static let job = """
    name: small
    seed: 7
    workflow: {type: fedavg, rounds: 3, fraction: 0.7}
    model: linear
    executor:
      type: classifier
      epochs: 1
      batch: 8
    sites: 4
    minimum_sites: 2

    """
  static let data = """
    images: images
    partition: {type: dirichlet, alpha: 1}

    """

  init(_ job: String = JobFolder.job, data: String = JobFolder.data) throws {
    folder = try TemporaryFolder()
    _ = try folder.file("job.yml", Array(job.utf8))
    _ = try folder.file("data.yml", Array(data.utf8))
    let images = folder.path.appending("images")
    try FileManager.default.createDirectory(
      atPath: images.string,
      withIntermediateDirectories: true
    )
    var numbers = KeyedRandomNumbers(key: RandomKey(seed: 1))
    for name in (1...5).map({ "data_batch_\($0).bin" }) + ["test_batch.bin"] {
      var bytes: [UInt8] = []
      for _ in 0..<20 {
        let label = UInt8.random(in: 0..<10, using: &numbers)
        bytes.append(label)
        bytes += (0..<3072).map { _ in label * 20 + .random(in: 0..<40, using: &numbers) }
      }
      try Data(bytes).write(to: URL(filePath: images.appending(name).string))
    }
  }

  func run(lanes: Int = 2) throws -> JobRun {
    try JobRun(Job(contentsOf: folder.path), lanes: lanes)
  }

  /// What is wrong with the job's files, as a person reads it.
  func complaint() throws -> String {
    let error = #expect(throws: (any Error).self) { try run() }
    return error.map { "\($0)" } ?? ""
  }
}

@Suite struct JobTests {
  @Test func aJobRunsGoesOnAndIsRepeated() async throws {
    let folder = try JobFolder()
    let run = try folder.run()
    let record = try RunRecord.create(at: folder.folder.path.appending("run"), run.newManifest())
    let job = try Job(contentsOf: folder.folder.path)
    try job.write(to: record)

    struct Stop: Error {}
    await #expect(throws: Stop.self) {
      try await run.run(
        in: record,
        checkRound: { if $0.roundCount == 2 { throw Stop() } }
      )
    }
    #expect(try record.manifest().status == .failed)

    // From what is recorded alone, on another number of lanes.
    let recorded = try Job(recordedIn: record, record.manifest())
    let again = try JobRun(recorded, lanes: 1)
    let manifest = try await again.run(in: record)
    #expect(manifest.status == .finished)
    #expect(manifest.trainings[0].rounds.map(\.contributors.count) == [3, 3, 3])
    #expect(FileManager.default.fileExists(atPath: record.modelFile.string))
    #expect(try await again.verify(record) == nil)

    let whole = try RunRecord.create(at: folder.folder.path.appending("whole"), run.newManifest())
    let undisturbed = try await run.run(in: whole)
    #expect(
      undisturbed.trainings
        == manifest.trainings.map { training in
          var training = training
          for index in training.rounds.indices {
            training.rounds[index].seconds = undisturbed.trainings[0].rounds[index].seconds
            training.rounds[index].examplesPerSecond =
              undisturbed.trainings[0].rounds[index].examplesPerSecond
          }
          return training
        }
    )
    let report = ReportPage(manifest, of: record, folder: "runs/x").html
    #expect(report.contains("Who took part"))
    #expect(report.contains("./tessera verify runs/x"))
  }

  @Test(arguments: [
    ("rounds: 3", "ruonds: 3", "job.yml:3", "did you mean"),
    ("minimum_sites: 2", "minimum_site: 2", "job.yml:10", "minimum_sites"),
    ("type: fedavg", "type: fedagv", "job.yml:3", "'fedavg'"),
    ("rounds: 3", "rounds: three", "job.yml:3", "an integer"),
    ("rounds: 3", "rounds: 0", "job.yml:3", "1...10000"),
    ("fraction: 0.7", "fraction: 1.5", "job.yml:3", "fraction"),
    ("minimum_sites: 2", "minimum_sites: 5", "job.yml:10", "4 sites"),
    ("model: linear", "model: {type: linear, depth: 3}", "job.yml:4", "depth"),
    ("name: small", "name: ../../etc", "job.yml:1", "small letters"),
    ("seed: 7", "seed: !!python/object:os.system x", "job.yml:2", ""),
    ("batch: 8", "batch: 8\n  batch: 9", "job.yml", "batch"),
  ])
  func whatIsWrongIsNamedWithFileAndLine(
    _ right: String,
    _ wrong: String,
    _ place: String,
    _ hint: String
  ) throws {
    let job = JobFolder.job.replacingOccurrences(of: right, with: wrong)
    let complaint = try JobFolder(job).complaint()
    #expect(complaint.contains(place), "\(complaint)")
    #expect(hint.isEmpty || complaint.contains(hint), "\(complaint)")
  }

  @Test func whatDoesNotFitTheDataIsNamed() throws {
    func complaint(_ job: String, _ data: String = JobFolder.data) throws -> String {
      try JobFolder(JobFolder.job + job, data: data).complaint()
    }
    #expect(try complaint("mandatory_sites: [site-9]\n").contains("'site-9'"))
    #expect(try complaint("", "images: nowhere\n").contains("nowhere"))
    #expect(try complaint("", "partition: iid\n").contains("exactly one of"))
    #expect(try complaint("", "images: images\ntables: {a: b}\n").contains("exactly one of"))
    #expect(
      try complaint("", "images: images\npartition: {type: dirichlet, alhpa: 1}\n")
        .contains("'alhpa'")
    )
  }

  @Test func aProgramAddsComponentsOfItsOwn() async throws {
    struct Doubling: Filter {
      func apply(to exchange: Exchange, in context: FilterContext) throws -> Exchange {
        try exchange.mapModels { model in
          var model = model
          model.tensors = try model.tensors.mapTensors { try $1 * 2 }
          return model
        }
      }
    }
    let job = JobFolder.job + "filters: {site: {results: [doubling]}}\n"
    let folder = try JobFolder(job)
    #expect(try folder.complaint().contains("unknown filter 'doubling'"))
    var components = JobComponents.standard
    components.filters.register("doubling") { _ in Doubling() }
    let run = try JobRun(Job(contentsOf: folder.folder.path, components: components), lanes: 1)
    let record = try RunRecord.create(at: folder.folder.path.appending("run"), run.newManifest())
    let manifest = try await run.run(in: record)
    #expect(manifest.trainings[0].rounds.count == 3)
  }

  @Test func tesserasOwnPartsCanNameThoseOfAProgram() throws {
    struct Half: SiteAlgorithm {
      let name = "half"
      func update(
        for task: SiteTask,
        at site: SiteContext,
        by train: LocalTrainer
      ) async throws -> SiteUpdate {
        try await PlainTraining().update(for: task, at: site, by: train)
      }
    }
    let folder = try JobFolder(
      """
      name: own
      workflow: {type: fedavg, rounds: 3, aggregation: first}
      model: linear
      executor: {type: classifier, algorithm: half}
      sites: 8
      """
    )
    let complaint = try folder.complaint()
    #expect(complaint.contains("unknown aggregation rule 'first'"))
    #expect(complaint.contains("unknown algorithm 'half'"))
    var components = JobComponents.standard
    components.algorithms.register("half") { _ in Half() }
    components.rules.register("first") { _ in WeightedMean() }
    let job = try Job(contentsOf: folder.folder.path, components: components)
    #expect(job.executor.algorithm is Half && job.workflow is FedAvg)
  }

  /// What a site holds back from one round must be there in the next, also after a kill.
  @Test func aJobWithErrorFeedbackRunsGoesOnAndIsRepeated() async throws {
    let folder = try JobFolder(
      JobFolder.job.replacingOccurrences(of: ", fraction: 0.7", with: "") + """
        filters:
          site: {results: [{type: top-k, fraction: 0.05, tasks: [train]}]}
          server: {results: [densify]}

        """
    )
    struct Stop: Error {}
    let run = try folder.run()
    var manifests: [RunManifest] = []
    for (name, stop) in [("whole", 0), ("stopped", 2)] {
      let record = try RunRecord.create(at: folder.folder.path.appending(name), run.newManifest())
      if stop > 0 {
        await #expect(throws: Stop.self) {
          try await run.run(in: record, checkRound: { if $0.roundCount == stop { throw Stop() } })
        }
      }
      let again = try folder.run(lanes: 1)
      manifests.append(try await again.run(in: record))
      #expect(try await again.verify(record) == nil)
    }
    let rounds = manifests.map { $0.trainings[0].rounds }
    #expect(rounds[0].map(\.tensors) == rounds[1].map(\.tensors))
    #expect(rounds[0].map(\.contributors.count) == [4, 4, 4])
    #expect(rounds[0].allSatisfy { ($0.compression ?? 0) > 5 })
  }

  @Test func aFiltersTasksAreCheckedToo() throws {
    func complaint(_ filter: String) throws -> String {
      try JobFolder(JobFolder.job + "filters:\n  site:\n    results:\n      - \(filter)\n")
        .complaint()
    }
    let misspelt = try complaint("{type: top-k, tasks: [trian]}")
    #expect(misspelt.contains("job.yml:14") && misspelt.contains("'train'"), "\(misspelt)")
    #expect(try complaint("{type: top-k, tasks: []}").contains("job.yml:14"))
    #expect(try complaint("{type: top-k, task: [train]}").contains("tasks"))
  }

  @Test func jobsThatAreDamagedAtAnyPlaceAreRefusedOrRun() throws {
    var numbers = KeyedRandomNumbers(key: RandomKey(seed: 3))
    let folder = try JobFolder()
    for _ in 0..<200 {
      var bytes = Array(JobFolder.job.utf8)
      bytes[Int.random(in: bytes.indices, using: &numbers)] = .random(in: 0...255, using: &numbers)
      _ = try folder.folder.file("job.yml", bytes)
      // Never a trap; most are errors of the file, some are still right.
      _ = try? Job(contentsOf: folder.folder.path)
    }
  }
}
