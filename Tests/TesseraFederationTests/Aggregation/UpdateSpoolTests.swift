import Foundation
import Synchronization
import SystemPackage
import TesseraCore
import TesseraFederation
import TesseraTesting
import Testing

/// What a rule saw of the chunks.
private final class Observations: Sendable {
  struct State {
    var largestChunk = 0
    var chunks = 0
  }
  let state = Mutex(State())
}

/// A user's own rule, which also notes what it sees.
private struct Midrange: CollectiveRule {
  var settings: CollectiveSettings
  var observations: Observations
  var fails = false
  struct Failure: Error {}

  func combine(_ chunk: UpdateChunk, _ plan: Void) throws -> Tensor {
    if fails { throw Failure() }
    observations.state.withLock {
      $0.largestChunk = max($0.largestChunk, chunk.values.count * chunk.values.dtype.byteCount)
      $0.chunks += 1
    }
    return try (chunk.values.minimum(along: 0) + chunk.values.maximum(along: 0)) / 2
  }
}

@Suite struct UpdateSpoolTests {
  private static let sites = (0..<20).map {
    Site(index: $0, name: "site-\($0 + 1)", exampleCount: 1)
  }
  private static func model() throws -> ModelState {
    try ModelState([
      (name: "a", tensor: Tensor.zeros([50, 30])),
      (name: "half", tensor: Tensor.zeros([70], dtype: .float16)),
    ])
  }
  private static func update(_ site: Int) throws -> Exchange {
    .weights(try model().mapTensors { try $1 + Double(site) })
  }

  @Test func memoryIsThatOfTheSettingsAndNotOfTheUpdates() throws {
    let folder = try TemporaryFolder()
    let observations = Observations()
    let bytes = try Self.model().byteCount
    // Three updates fit; 17 go to files.
    let settings = CollectiveSettings(
      memory: 3 * bytes + 100,
      chunk: 5000,
      folder: folder.path.string
    )
    let rule = Midrange(settings: settings, observations: observations)
    var aggregation = CollectiveAggregation(by: rule, updating: try Self.model())
    for site in Self.sites.reversed() {
      _ = try aggregation.fold(Self.update(site.index), from: site)
      #expect(aggregation.bytesInMemory <= settings.memory)
      #expect(folder.names == [], "the file has no name")
    }
    #expect(aggregation.bytesInMemory == 3 * bytes)
    #expect(aggregation.bytesInFile == 17 * bytes)
    #expect(try openFiles(in: folder) == 1)
    let result = try aggregation.result().tensors
    for (name, tensor) in try Self.model().entries {
      #expect(try result[name]?.isIdentical(to: tensor + 9.5) == true)
    }
    let seen = observations.state.withLock { $0 }
    #expect(seen.largestChunk <= settings.chunk)
    // 20 rows of 4 bytes, 62 of 1500 elements at once; of half precision both forms count, 41 of 70.
    #expect(seen.chunks == 25 + 2)
    #expect(aggregation.bytesInMemory == 0)
    #expect(aggregation.bytesInFile == 0)
  }

  @Test func theFileGoesWhenARuleFails() throws {
    let folder = try TemporaryFolder()
    let settings = CollectiveSettings(memory: 0, folder: folder.path.string)
    let rule = Midrange(settings: settings, observations: Observations(), fails: true)
    try {
      var aggregation = try rule.begin(
        AggregationRound(reference: Self.model(), sites: Self.sites)
      )
      _ = try aggregation.fold(Self.update(1), from: Self.sites[1])
      #expect(try openFiles(in: folder) == 1)
      #expect(throws: Midrange.Failure.self) { try aggregation.result() }
    }()
    #expect(try openFiles(in: folder) == 0)
  }

  @Test func aFolderThatCannotHoldTheFileIsNamed() throws {
    let folder = try TemporaryFolder()
    var rule = CoordinateMedian()
    rule.settings = CollectiveSettings(memory: 0, folder: try folder.file("file", []).string)
    var aggregation = try rule.begin(AggregationRound(reference: Self.model(), sites: Self.sites))
    let error = #expect(throws: TensorError.self) {
      try aggregation.fold(Self.update(1), from: Self.sites[1])
    }
    #expect(error?.code == .fileSystem)
    #expect(error?.message.contains(folder.path.string) == true)
  }

  @Test func copiesOfAnAggregationDoNotMeet() throws {
    var rule = CoordinateMedian()
    rule.settings = CollectiveSettings(memory: 0)
    var one = CollectiveAggregation(by: rule, updating: try Self.model())
    _ = try one.fold(Self.update(0), from: Self.sites[0])
    var other = one
    _ = try one.fold(Self.update(2), from: Self.sites[2])
    _ = try other.fold(Self.update(8), from: Self.sites[8])
    let (first, second) = (try one.result().tensors, try other.result().tensors)
    #expect(try first["a"]?.isIdentical(to: Tensor.full(1, shape: [50, 30])) == true)
    #expect(try second["a"]?.isIdentical(to: Tensor.full(4, shape: [50, 30])) == true)
  }

  /// Answers, and cancels the run with the last answer.
  private struct CancellingExecutor: Executor {
    let run: CancellableRun
    func execute(_ task: SiteTask, at site: SiteContext) async throws -> Exchange {
      if task.site.index == 19 { run.cancel() }
      return .weights(try task.model.mapTensors { try $1 + 1 })
    }
  }

  @Test func theFileGoesWhenARoundIsCancelled() async throws {
    let folder = try TemporaryFolder()
    var rule = CoordinateMedian()
    rule.settings = CollectiveSettings(memory: 0, folder: folder.path.string)
    let box = CancellableRun()
    let federation = Federation(
      workflow: try FedAvg(rounds: 3, rule: rule),
      transport: InProcessTransport(
        sites: Self.sites,
        executor: CancellingExecutor(run: box),
        pool: LanePool(lanes: 2)
      ),
      key: RandomKey(seed: 1)
    )
    let state = WorkflowState(model: try Self.model())
    let run = Task { _ = try await federation.run(from: state) }
    box.keep(run)
    await #expect(throws: CancellationError.self) { try await run.value }
    #expect(try openFiles(in: folder) == 0)
  }
}

/// A run that one of its own sites cancels.
private final class CancellableRun: Sendable {
  private struct State {
    var run: Task<Void, any Error>?
    var isCancelled = false
  }
  private let state = Mutex(State())

  func keep(_ run: Task<Void, any Error>) {
    state.withLock {
      $0.run = run
      if $0.isCancelled { run.cancel() }
    }
  }

  func cancel() {
    state.withLock {
      $0.isCancelled = true
      $0.run?.cancel()
    }
  }
}

/// How many files of a folder this process has open, also those that have no name any more.
private func openFiles(in folder: TemporaryFolder) throws -> Int {
  try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count { descriptor in
    let target = try? FileManager.default.destinationOfSymbolicLink(
      atPath: "/proc/self/fd/\(descriptor)"
    )
    return target?.hasPrefix(folder.path.string) == true
  }
}
