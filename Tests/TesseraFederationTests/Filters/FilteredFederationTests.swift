import Synchronization
import TesseraCore
import TesseraFederation
import TesseraTesting
import Testing

/// Moves each weight by a number drawn from the site's key, and remembers what it was sent.
private final class MovingExecutor: Executor {
  private let seen = Mutex<[Int: [ModelState]]>([:])

  func tasks(of index: Int) -> [ModelState] { seen.withLock { $0[index] ?? [] } }

  func execute(_ task: SiteTask, at site: SiteContext) async throws -> Exchange {
    seen.withLock { $0[task.site.index, default: []].append(task.model) }
    let generator = try Generator(key: task.key)
    return .weights(
      try task.model.mapTensors { _, tensor in
        guard tensor.dtype.isFloatingPoint else { return try tensor + 1 }
        return try tensor + Tensor.normal(tensor.shape, deviation: 0.01, using: generator)
      },
      samples: task.site.exampleCount
    )
  }
}

/// Notes its place, and passes what it gets.
private struct Noting: Filter {
  let name: String
  let log: Log

  func apply(to exchange: Exchange, in context: FilterContext) throws -> Exchange {
    log.add("\(context.side) \(context.direction) \(name)")
    return exchange
  }

  final class Log: Sendable {
    private let entries = Mutex<[String]>([])
    var all: [String] { entries.withLock { $0 } }
    func add(_ entry: String) { entries.withLock { $0.append(entry) } }
  }
}

@Suite struct FilteredFederationTests {
  static let sites = (0..<4).map { Site(index: $0, name: "site-\($0 + 1)", exampleCount: 10) }

  static func start() throws -> WorkflowState {
    WorkflowState(
      model: try Sample.state(
        ("body", Sample.normal([100, 80])),
        ("norm", Tensor.ones([64])),
        ("steps", Tensor([0]))
      )
    )
  }

  private static func run(
    rounds: Int = 1,
    executor: MovingExecutor = MovingExecutor(),
    site: SiteFilters = SiteFilters(),
    server: ServerFilters = ServerFilters(),
    lanes: Int = 2
  ) async throws -> [RoundResult] {
    let worker = SiteWorker(executor: executor, filters: site)
    var federation = Federation(
      workflow: try FedAvg(rounds: rounds),
      transport: InProcessTransport(sites: sites, worker: worker, pool: LanePool(lanes: lanes)),
      key: RandomKey(seed: 4)
    )
    federation.filters = server
    federation.quorum = .all(of: sites)
    var results: [RoundResult] = []
    _ = try await federation.run(from: start()) { results.append($0) }
    return results
  }

  @Test func filtersRunInOrderOnBothSides() async throws {
    let log = Noting.Log()
    func chain(_ names: String...) -> [any Filter] { names.map { Noting(name: $0, log: log) } }
    _ = try await Self.run(
      site: SiteFilters(tasks: chain("c", "d"), results: chain("e", "f")),
      server: ServerFilters(tasks: chain("a", "b"), results: chain("g", "h")),
      lanes: 1
    )
    let once = ["server task a", "server task b"]
    let each = [
      "site task c", "site task d", "site result e", "site result f", "server result g",
      "server result h",
    ]
    #expect(log.all == once + Self.sites.flatMap { _ in each })
  }

  @Test(arguments: [
    (Quantize.Format.float16, 1.9, 1e-3), (.bfloat16, 1.9, 1e-2), (.int8, 3.9, 0.02),
    (.fp4, 7.0, 0.4), (.nf4, 7.0, 0.4),
  ])
  func quantisedAnswersMeanNearlyTheSame(
    format: Quantize.Format,
    ratio: Double,
    tolerance: Double
  ) async throws {
    let plain = try #require(try await Self.run().first)
    let coded = try #require(
      try await Self.run(
        site: SiteFilters(results: [Quantize(format, rounding: .stochastic)]),
        server: ServerFilters(results: [Dequantize()])
      ).first
    )
    #expect(coded.refusals.isEmpty)
    for (name, tensor) in plain.model.entries {
      try expectClose(#require(coded.model[name]), tensor, absolute: tolerance, relative: tolerance)
    }
    let compression = try #require(coded.traffic.compression)
    #expect(compression > ratio && compression < ratio * 1.2, "\(compression)")
    #expect(coded.traffic.upUnprocessed == plain.traffic.up)
    #expect(plain.traffic.compression == nil)
  }

  @Test func tasksTravelQuantisedToo() async throws {
    let results = try await Self.run(
      site: SiteFilters(tasks: [Dequantize()]),
      server: ServerFilters(tasks: [Quantize(.int8)])
    )
    let plain = try await Self.run()
    let (down, whole) = (try #require(results.first).traffic.down, plain[0].traffic.down)
    #expect(Double(whole) / Double(down) > 3.9)
    #expect(results[0].refusals.isEmpty)
  }

  @Test func sparseAnswersWithErrorFeedbackReachTheModel() async throws {
    let results = try await Self.run(
      rounds: 3,
      site: SiteFilters(results: [TopK(fraction: 0.05), Quantize(.float16)]),
      server: ServerFilters(results: [Dequantize(), Densify()])
    )
    #expect(results.allSatisfy { $0.refusals.isEmpty })
    // Per element sent 2 bytes of value and 4 of position, beside 8 of the counter.
    for result in results {
      let compression = try #require(result.traffic.compression)
      #expect(abs(compression - (8064 * 4 + 8) / (404 * 6 + 8.0)) < 0.1, "\(compression)")
    }
    let start = try Self.start().model
    let last = try #require(results.last).model
    #expect(try #require(last["steps"]).item() == 3)
    let moved = try #require(last["body"]).differs(from: #require(start["body"]))
    #expect(try moved.sum().item() > 800)
  }

  @Test func privateAnswersOfWeightsKeepTheirMeaning() async throws {
    let results = try await Self.run(
      rounds: 2,
      site: SiteFilters(results: [
        ClipNorm(norm: 0.5), GaussianNoise(noiseMultiplier: 1e-3, clipNorm: 0.5), ConvertWeights(),
      ])
    )
    let start = try Self.start().model
    let first = try #require(results.first)
    #expect(first.refusals.isEmpty)
    let change = try #require(first.model["body"]) - #require(start["body"])
    // Four clipped changes in independent directions, and noise of 5e-4 on 8,000 elements of each.
    let norm = try change.norm().item()
    #expect(norm > 0.2 && norm < 0.3, "\(norm)")
    // The counter stayed behind.
    #expect(try #require(first.model["steps"]).item() == 0)
  }

  @Test func eachSiteKeepsItsPersonalTensors() async throws {
    let executor = MovingExecutor()
    let personal = try PersonalTensors(["norm"])
    let results = try await Self.run(
      rounds: 3,
      executor: executor,
      site: SiteFilters(tasks: [personal], results: [personal])
    )
    #expect(results.allSatisfy { $0.refusals.isEmpty })
    let start = try #require(Self.start().model["norm"])
    for result in results {
      #expect(try #require(result.model["norm"]).isIdentical(to: start))
    }
    var last: [Tensor] = []
    for site in Self.sites {
      let norms = try executor.tasks(of: site.index).map { try #require($0["norm"]) }
      #expect(norms.count == 3)
      #expect(try norms[0].isIdentical(to: start))
      #expect(try !norms[1].isIdentical(to: start) && !norms[2].isIdentical(to: norms[1]))
      last.append(norms[2])
    }
    #expect(try !last[0].isIdentical(to: last[1]))
  }

  @Test func anAnswerThatCannotBeUndoneIsRefusedByName() async throws {
    struct Spoiling: Filter {
      func apply(to exchange: Exchange, in context: FilterContext) throws -> Exchange {
        var exchange = exchange
        if context.site?.index == 1 {
          exchange.metadata.processing = [
            .init("quantised: int8", tensors: ["body"], bytesBefore: .max, bytesAfter: .min)
          ]
        }
        return exchange
      }
    }
    let worker = SiteWorker(
      executor: MovingExecutor(),
      filters: SiteFilters(results: [Spoiling()])
    )
    for filters in [ServerFilters(results: [Dequantize()]), ServerFilters()] {
      var federation = Federation(
        workflow: try FedAvg(rounds: 1),
        transport: InProcessTransport(
          sites: Self.sites,
          worker: worker,
          pool: LanePool(lanes: 2)
        ),
        key: RandomKey(seed: 4)
      )
      federation.filters = filters
      var result: RoundResult?
      _ = try await federation.run(from: Self.start()) { result = $0 }
      if !filters.results.isEmpty {
        #expect(result?.refusals.map(\.site) == ["site-2"])
        #expect(result?.refusals.first?.reason.contains("quantised: int8") == true)
      }
      // Sizes that a site claims neither trap nor count.
      #expect(result?.traffic.compression == nil)
    }
  }
}
