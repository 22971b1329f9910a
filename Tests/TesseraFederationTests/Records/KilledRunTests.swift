import Foundation
import Synchronization
import SystemPackage
import TesseraCore
import TesseraFederation
import TesseraRun
import TesseraTesting
import Testing

/// Adds what is drawn from the site's key, and what the site remembers: how often it was asked.
private struct RememberingExecutor: Executor {
  /// Whether some sites' answers of the second round cannot be used.
  var isRefused = false

  func execute(_ task: SiteTask, at site: SiteContext) async throws -> Exchange {
    let asked = try site.memory["asked"]?["count"].map { try $0.item() } ?? 0
    site.memory["asked"] = try ModelState([(name: "count", tensor: Tensor(asked + 1))])
    let generator = try Generator(key: task.key)
    let model = try task.model.mapTensors { _, tensor in
      try tensor + Tensor.normal(tensor.shape, using: generator) + asked
    }
    // One tensor too many: of four sites three are drawn, so that there are both.
    if isRefused, task.round == 2, task.site.index >= 2 {
      let more = model.entries.map { $0 } + [(name: "more", tensor: try Tensor([1.0]))]
      return .weights(try ModelState(more), samples: site.site.exampleCount)
    }
    return .weights(model, samples: site.site.exampleCount, metrics: ["loss": asked])
  }
}

/// Keeps the sum of all models, so that there is something besides the model to be saved.
private struct SummingWorkflow: Workflow {
  let rounds = 3

  func run(_ state: inout WorkflowState, with controller: Controller) async throws {
    state.global =
      try await controller.gather(.train, state.global, from: controller.sample(0.67)).exchange
    let model = state.model
    let sum = try state.memory["sum"]?.mapTensors { try $1 + (model[$0] ?? $1) }
    state.memory["sum"] = sum ?? model
  }
}

/// A run of three rounds over four sites that remember something.
private struct Job {
  var folder: FilePath
  /// Whether sites send the largest changes alone, and keep the others.
  var isSparse = false
  /// Whether the server refuses some answers.
  var isRefused = false

  /// Goes on with the run, or begins it; kills its own process once so many events are on the disk.
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
    let sites = (0..<4).map { Site(index: $0, name: "site-\($0 + 1)", exampleCount: 3 + $0) }
    var federation = Federation(
      workflow: SummingWorkflow(),
      transport: InProcessTransport(
        sites: sites,
        worker: SiteWorker(
          executor: RememberingExecutor(isRefused: isRefused),
          filters: SiteFilters(results: isSparse ? [try TopK(fraction: 0.1)] : []),
          memories: memories
        ),
        pool: LanePool(lanes: 2)
      ),
      key: RandomKey(seed: 1)
    )
    if isSparse { federation.filters.results = [Densify()] }
    var training = RecordedTraining(
      name: "job",
      federation: federation,
      initial: WorkflowState(
        model: try ModelState([(name: "weight", tensor: Tensor.zeros([50]))])
      )
    )
    training.memories = memories
    return try await training.run(in: run)
  }
}

@Suite struct KilledRunTests {
  /// Each round: its beginning, its task's opening, three answers, the closing, its end; then the end of all.
  static let eventCount = 3 * 7 + 1

  @Test(arguments: 1...KilledRunTests.eventCount)
  func aRunKilledAtAnyEventGoesOnToTheSameEnd(event: Int) async throws {
    let folder = try TemporaryFolder()
    let whole = try await Job(folder: folder.path.appending("whole")).run()
    let path = folder.path.appending("killed").string
    let result = await #expect(processExitsWith: .signal(SIGKILL)) {
      [path = path as String, event = event as Int] in
      _ = try await Job(folder: FilePath(path)).run(killedAfter: event)
    }
    try #require(result != nil)
    let resumed = try await Job(folder: FilePath(path)).run()
    #expect(try resumed.model.isIdentical(to: whole.model))
    #expect(try resumed.memory["sum"]?.isIdentical(to: #require(whole.memory["sum"])) == true)
    #expect(resumed.step == whole.step)

    // The records agree too: who contributed, with which weight and what they measured.
    let records = try ["whole", "killed"].map {
      try RunRecord.open(at: folder.path.appending($0)).manifest().trainings[0]
    }
    #expect(records[0].rounds.map(\.contributors) == records[1].rounds.map(\.contributors))
    #expect(records[0].rounds.map(\.tensors) == records[1].rounds.map(\.tensors))
    #expect(records[1].isFinished)
  }

  /// In the second round's opening, among its answers, before and after its end, and in the third.
  @Test(arguments: [8, 11, 13, 14, 18])
  func whatFiltersRememberOutlivesAKillToo(event: Int) async throws {
    let folder = try TemporaryFolder()
    let whole = try await Job(folder: folder.path.appending("whole"), isSparse: true).run()
    let path = folder.path.appending("killed").string
    let result = await #expect(processExitsWith: .signal(SIGKILL)) {
      [path = path as String, event = event as Int] in
      _ = try await Job(folder: FilePath(path), isSparse: true).run(killedAfter: event)
    }
    try #require(result != nil)
    let resumed = try await Job(folder: FilePath(path), isSparse: true).run()
    #expect(try resumed.model.isIdentical(to: whole.model))
    for site in (0..<4).map({ Site(index: $0, name: "site-\($0 + 1)", exampleCount: 3) }) {
      let memories = try ["whole", "killed"].map {
        try FolderSiteMemories(in: folder.path.appending($0).appending("sites"))
          .contents(of: site, before: .max)
      }
      #expect(memories[0].keys.sorted() == ["asked", TopK.memoryName(of: .train)])
      #expect(memories[0].keys == memories[1].keys)
      for (name, state) in memories[0] {
        #expect(try memories[1][name]?.isIdentical(to: state) == true, "\(name)")
      }
    }
  }

  /// A site remembers what was used, whether its server lived on or not.
  @Test(arguments: [8, 10, 12, 13, 14, 17, 20])
  func whatWasRefusedIsForgottenByAKilledRunToo(event: Int) async throws {
    let folder = try TemporaryFolder()
    let whole = try await Job(folder: folder.path.appending("whole"), isRefused: true).run()
    let path = folder.path.appending("killed").string
    let result = await #expect(processExitsWith: .signal(SIGKILL)) {
      [path = path as String, event = event as Int] in
      _ = try await Job(folder: FilePath(path), isRefused: true).run(killedAfter: event)
    }
    try #require(result != nil)
    let resumed = try await Job(folder: FilePath(path), isRefused: true).run()
    #expect(try resumed.model.isIdentical(to: whole.model))
    let rounds = try RunRecord.open(at: folder.path.appending("whole")).manifest().trainings[0]
      .rounds
    #expect(!rounds[1].rejected.isEmpty)
    for (place, state) in [("whole", whole), ("killed", resumed)] {
      let unused = state.unusedAnswers
      let memories = try FolderSiteMemories(in: folder.path.appending(place).appending("sites"))
      for index in 0..<4 {
        let site = Site(index: index, name: "site-\(index + 1)", exampleCount: 3)
        let contents = try memories.contents(of: site, before: unused[index] ?? .max)
        let asked: Double = try contents["asked"]?["count"].map { try $0.item() } ?? 0
        let used = rounds.count { $0.contributors.contains { $0.site == site.name } }
        #expect(asked == Double(used), "\(place), \(site.name)")
      }
    }
  }

  @Test func theNumberOfEventsIsThatOfTheTest() async throws {
    let folder = try TemporaryFolder()
    let path = folder.path.appending("run")
    _ = try await Job(folder: path).run()
    var count = 0
    try Journal<RunEvent>.read(at: RunRecord.open(at: path).journalFile) { _ in count += 1 }
    #expect(count == Self.eventCount)
  }

  @Test func aStateThatIsNotTheJournalsIsRefused() async throws {
    let folder = try TemporaryFolder()
    let path = folder.path.appending("run")
    let result = await #expect(processExitsWith: .signal(SIGKILL)) {
      [path = path.string as String] in
      _ = try await Job(folder: FilePath(path)).run(killedAfter: 14)
    }
    try #require(result != nil)
    let file = path.appending("state-job-2.safetensors")
    var state = try WorkflowState(contentsOf: file)
    state.model = try state.model.mapTensors { try $1 + 1 }
    try state.write(to: file)
    let error = await #expect(throws: RunError.self) { try await Job(folder: path).run() }
    #expect(error?.message.contains("state-job-2.safetensors") == true)
    try FileManager.default.removeItem(atPath: file.string)
    await #expect(throws: (any Error).self) { try await Job(folder: path).run() }
  }
}
