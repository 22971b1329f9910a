import Foundation
import Synchronization
import SystemPackage
import TesseraCore
import TesseraFederation
import TesseraTesting
import Testing

/// What a rule saw of the chunks and of the folder.
private final class Observations: Sendable {
  struct State {
    var largestChunk = 0
    var chunks = 0
    var files: [String] = []
  }
  let state = Mutex(State())
}

/// A user's own rule, which also looks where it is.
private struct Midrange: CollectiveRule {
  var settings: CollectiveSettings
  var folder: TemporaryFolder
  var observations: Observations
  var fails = false
  struct Failure: Error {}

  func combine(_ chunk: UpdateChunk, _ plan: Void) throws -> Tensor {
    if fails { throw Failure() }
    let spools = folder.names
    observations.state.withLock {
      $0.largestChunk = max($0.largestChunk, chunk.values.count * chunk.values.dtype.byteCount)
      $0.chunks += 1
      $0.files = spools
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
    let rule = Midrange(settings: settings, folder: folder, observations: observations)
    var aggregation = CollectiveAggregation(by: rule, updating: try Self.model())
    for site in Self.sites.reversed() {
      _ = try aggregation.fold(Self.update(site.index), from: site)
      #expect(aggregation.bytesInMemory <= settings.memory)
    }
    #expect(aggregation.bytesInMemory == 3 * bytes)
    let result = try aggregation.result().tensors
    for (name, tensor) in try Self.model().entries {
      #expect(try result[name]?.isIdentical(to: tensor + 9.5) == true)
    }
    let seen = observations.state.withLock { $0 }
    #expect(seen.largestChunk <= settings.chunk)
    // 20 rows of 4 bytes, 62 of 1500 elements at once; of half precision both forms count, 41 of 70.
    #expect(seen.chunks == 25 + 2)
    #expect(seen.files.count == 1, "a folder of its own")
    #expect(folder.names == [])
    #expect(aggregation.bytesInMemory == 0)
  }

  @Test func theFolderGoesWhenARuleFails() throws {
    let folder = try TemporaryFolder()
    let settings = CollectiveSettings(memory: 0, folder: folder.path.string)
    let rule = Midrange(
      settings: settings,
      folder: folder,
      observations: Observations(),
      fails: true
    )
    try {
      var aggregation = try rule.begin(
        AggregationRound(reference: Self.model(), sites: Self.sites)
      )
      _ = try aggregation.fold(Self.update(1), from: Self.sites[1])
      #expect(folder.names.count == 1)
      #expect(throws: Midrange.Failure.self) { try aggregation.result() }
    }()
    #expect(folder.names == [])
  }

  @Test func filesAreForTheirOwnerAlone() throws {
    let folder = try TemporaryFolder()
    let settings = CollectiveSettings(memory: 0, folder: folder.path.string)
    var rule = CoordinateMedian()
    rule.settings = settings
    var aggregation = try rule.begin(AggregationRound(reference: Self.model(), sites: Self.sites))
    _ = try aggregation.fold(Self.update(1), from: Self.sites[1])
    let spool = try #require(folder.names.first)
    #expect(try permissions(folder.path.appending(spool)) == 0o700)
    let error = #expect(throws: TensorError.self, "no folder can be made in a file") {
      let file = try folder.file("file", [])
      rule.settings.folder = file.string
      var other = try rule.begin(AggregationRound(reference: Self.model(), sites: Self.sites))
      _ = try other.fold(Self.update(1), from: Self.sites[1])
    }
    #expect(error?.code == .fileSystem)
  }

  /// Answers, and cancels the run with the last answer.
  private struct CancellingExecutor: Executor {
    let run: CancellableRun
    func execute(_ task: SiteTask, at site: SiteContext) async throws -> Exchange {
      if task.site.index == 19 { run.cancel() }
      return .weights(try task.model.mapTensors { try $1 + 1 })
    }
  }

  @Test func theFolderGoesWhenARoundIsCancelled() async throws {
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
    #expect(folder.names == [])
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

private func permissions(_ path: FilePath) throws -> Int {
  let attributes = try FileManager.default.attributesOfItem(atPath: path.string)
  return attributes[.posixPermissions] as? Int ?? 0
}
