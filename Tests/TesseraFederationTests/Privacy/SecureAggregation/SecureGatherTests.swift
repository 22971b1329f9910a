import Synchronization
import TesseraCore
import TesseraFederation
import Testing

/// Draws an update from the site's key; sites that are named fail at it.
private struct Drawing: Executor {
  var failing: Set<Int> = []
  struct Gone: Error {}

  func execute(_ task: SiteTask, at site: SiteContext) async throws -> Exchange {
    if failing.contains(site.site.index) { throw Gone() }
    let generator = try Generator(key: task.key)
    return .weights(
      try task.model.mapTensors { _, tensor in
        tensor.dtype.isFloatingPoint
          ? try tensor + Tensor.normal(tensor.shape, deviation: 0.1, using: generator) : tensor
      },
      samples: site.site.exampleCount
    )
  }
}

/// Federated averaging whose server sees sums alone.
private struct Secure: Workflow {
  let rounds = 2
  var settings = SecureAggregation()

  func run(_ state: inout WorkflowState, with controller: Controller) async throws {
    state.global = try await controller.gather(
      .train,
      state.global,
      from: controller.sites,
      securelyBy: settings
    ).exchange
  }
}

@Suite struct SecureGatherTests {
  static let sites = (0..<8).map {
    Site(index: $0, name: "site-\($0 + 1)", exampleCount: 5 + 3 * $0)
  }

  private static func federation(
    _ workflow: any Workflow,
    failing: Set<Int> = [],
    lanes: Int = 2
  ) -> Federation {
    let key = RandomKey(seed: 5)
    var federation = Federation(
      workflow: workflow,
      transport: InProcessTransport(
        sites: sites,
        worker: SiteWorker(executor: Drawing(failing: failing), secrets: .reproducible(key)),
        pool: LanePool(lanes: lanes)
      ),
      key: key
    )
    federation.secrets = .reproducible(key)
    return federation
  }

  private static func start() throws -> WorkflowState {
    try WorkflowState(
      model: ModelState([
        (name: "weight", tensor: Tensor.zeros([40, 3])), (name: "steps", tensor: Tensor(4)),
        (name: "bias", tensor: Tensor.zeros([3])),
      ])
    )
  }

  @Test(arguments: [Set<Int>(), [2], [0, 5]])
  func theMeanIsThatOfPlainAveraging(failing: Set<Int>) async throws {
    let plain = try await Self.federation(FedAvg(rounds: 2), failing: failing)
      .run(from: Self.start())
    var results: [RoundResult] = []
    let secure = try await Self.federation(Secure(), failing: failing)
      .run(from: Self.start()) { results.append($0) }
    for name in ["weight", "bias"] {
      let a = try #require(plain.state.model[name])
      let b = try #require(secure.state.model[name])
      #expect(try abs(a - b).maximum().item() < 1e-6)
    }
    #expect(try secure.state.model["steps"]?.itemAsInteger() == 4)
    let round = try #require(results.last)
    #expect(round.contributions.map(\.index) == (0..<8).filter { !failing.contains($0) })
    #expect(round.refusals.map(\.index) == failing.sorted())
    #expect(round.refusals.allSatisfy { $0.reason.contains("phase 'mask vector'") })
    // Nobody's own weight or measurements are known.
    #expect(Set(round.contributions.map(\.weight)).count == 1)
    #expect(round.contributions.allSatisfy { $0.metrics.isEmpty })
  }

  /// What a site remembers of a vector that is in no sum counts for nothing, though it answers the phases of the next sum.
  @Test func whatASiteLearnedForASumThatItIsNotInIsForgotten() async throws {
    struct Counting: Executor {
      let told = Told<(round: Int, site: Int, asked: Double)>()

      func execute(_ task: SiteTask, at site: SiteContext) async throws -> Exchange {
        let asked: Double = try site.memory["asked"]?["count"].map { try $0.item() } ?? 0
        told.add((task.round, task.site.index, asked))
        site.memory["asked"] = try ModelState([(name: "count", tensor: Tensor([asked + 1]))])
        return .weights(task.model, samples: site.site.exampleCount)
      }
    }
    let (executor, key) = (Counting(), RandomKey(seed: 5))
    let workflow = Script(rounds: 4) { state, controller in
      state.global = try await controller.gather(
        .train,
        state.global,
        from: controller.sites,
        securelyBy: SecureAggregation()
      ).exchange
    }
    var federation = Federation(
      workflow: workflow,
      transport: InProcessTransport(
        sites: Self.sites,
        worker: SiteWorker(executor: executor, secrets: .reproducible(key)),
        pool: LanePool(lanes: 2)
      ),
      key: key
    )
    federation.secrets = .reproducible(key)
    // The vector of the third site does not come as it was sent, in the second round.
    let vectors = Mutex(0)
    federation.callbacks.didReceive = { _, answer, site in
      guard site.index == 2, !answer.tensors.names.isEmpty else { return answer }
      let number = vectors.withLock { count in
        count += 1
        return count
      }
      return number == 2 ? Exchange(.custom("lost")) : answer
    }
    var rounds: [RoundResult] = []
    _ = try await federation.run(from: Self.start()) { rounds.append($0) }
    #expect(rounds[1].refusals.map(\.index) == [2])
    func asked(_ site: Int) -> [Double] {
      executor.told.all.filter { $0.site == site }.sorted { $0.round < $1.round }.map(\.asked)
    }
    #expect(asked(0) == [0, 1, 2, 3])
    #expect(asked(2) == [0, 1, 1, 2])
    #expect(rounds.map { $0.state.unusedAnswers.keys.sorted() } == [[], [2], [], []])
  }

  @Test func itsBitsDoNotDependOnLanes() async throws {
    let one = try await Self.federation(Secure(), lanes: 1).run(from: Self.start())
    let four = try await Self.federation(Secure(), lanes: 4).run(from: Self.start())
    #expect(try one.state.model.isIdentical(to: four.state.model))
  }

  @Test func tooManyDropOutsEndTheRoundWithTheReason() async throws {
    let error = await #expect(throws: FederationError.self) {
      try await Self.federation(Secure(), failing: [0, 1, 2, 3, 4]).run(from: Self.start())
    }
    #expect(error?.code == .tooFewSites)
    #expect(error?.message.contains("secure aggregation") == true)
  }

  @Test func noiseThatNobodyKnowsIsAsLargeAsItWasToBe() async throws {
    let settings = SecureAggregation(
      noise: try SecureAggregation.Noise(clipNorm: 0.5, multiplier: 2)
    )
    let state = try WorkflowState(
      model: ModelState([(name: "weight", tensor: Tensor.zeros([20_000]))])
    )
    struct Silent: Executor {
      func execute(_ task: SiteTask, at site: SiteContext) async throws -> Exchange {
        .weights(task.model)
      }
    }
    let key = RandomKey(seed: 9)
    var workflow = Secure()
    workflow.settings = settings
    let federation = Federation(
      workflow: workflow,
      transport: InProcessTransport(
        sites: Self.sites,
        worker: SiteWorker(executor: Silent(), secrets: .reproducible(key)),
        pool: LanePool(lanes: 2)
      ),
      key: key
    )
    var first: ModelState?
    _ = try await federation.run(from: state) { if $0.round == 1 { first = $0.model } }
    let noise = try #require(first?["weight"]).to(.float64) * 8
    let deviation = try (noise * noise).mean().item().squareRoot()
    // At least 0.5 · 2 with the fewest survivors; more sites bring more shares.
    #expect(deviation >= 0.98)
    #expect(deviation < 1.8)
  }
}
