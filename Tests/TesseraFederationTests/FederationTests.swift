import Synchronization
import TesseraCore
import TesseraFederation
import Testing

/// Moves each weight by a number drawn from the site's key.
private struct DrawingExecutor: Executor {
  func execute(_ task: SiteTask, at site: SiteContext) async throws -> Exchange {
    let generator = try Generator(key: task.key)
    return .weights(
      try task.model.mapTensors { _, tensor in
        try tensor + Tensor.normal(tensor.shape, deviation: 0.01, using: generator)
      },
      weight: Double(task.site.exampleCount),
      metrics: ["loss": Double(task.round)]
    )
  }
}

/// Answers as `behaviour` says for the site.
private struct UnrulyExecutor: Executor {
  struct Unreachable: Error {}
  var behaviour: @Sendable (Int) throws -> ModelState?

  func execute(_ task: SiteTask, at site: SiteContext) async throws -> Exchange {
    .weights(try behaviour(task.site.index) ?? task.model, weight: 1)
  }
}

private final class Counter: Sendable {
  private let count = Mutex(0)
  var value: Int { count.withLock { $0 } }
  func increment() -> Int {
    count.withLock {
      $0 += 1
      return $0
    }
  }
}

@Suite struct FederationTests {
  static let sites = (0..<12).map {
    Site(index: $0, name: "site-\($0 + 1)", exampleCount: 5 + $0)
  }

  static func federation(
    _ executor: any Executor,
    lanes: Int = 2,
    rounds: Int = 3,
    fraction: Double = 1,
    minimum: Int = 1,
    target: Double? = nil
  ) throws -> Federation {
    var federation = Federation(
      workflow: try FedAvg(rounds: rounds, fraction: fraction),
      transport: InProcessTransport(
        sites: sites,
        executor: executor,
        pool: LanePool(lanes: lanes)
      ),
      key: RandomKey(seed: 2)
    )
    federation.quorum.minimum = minimum
    federation.targetAccuracy = target
    return federation
  }

  static func start() throws -> WorkflowState {
    try WorkflowState(model: ModelState([(name: "weight", tensor: Tensor.zeros([300]))]))
  }

  @Test func aRoundSaysWhatItTookOfEachSite() async throws {
    let efforts = Mutex<[[String: SiteEffort]]>([])
    _ = try await Self.federation(DrawingExecutor(), rounds: 2, fraction: 0.5)
      .run(from: Self.start()) { round in
        let names = Set(round.contributions.map(\.site))
        #expect(Set(round.efforts.keys) == names && names.count == 6)
        #expect(round.efforts.values.reduce(0) { $0 + $1.bytesUp } == round.traffic.up)
        #expect(round.efforts.values.reduce(0) { $0 + $1.bytesDown } == round.traffic.down)
        efforts.withLock { $0.append(round.efforts) }
      }
    let all = efforts.withLock { $0 }
    #expect(all.count == 2)
    for effort in all.flatMap(\.values) {
      #expect(effort.seconds > 0 && effort.seconds < 3600)
      #expect(effort.bytesDown == 1200 && effort.bytesUp == 1200)
    }
  }

  @Test func theResultIsTheSameOnAnyNumberOfLanes() async throws {
    let one = try await Self.federation(DrawingExecutor(), lanes: 1, fraction: 0.5)
      .run(from: Self.start())
    for lanes in [2, 4, 7] {
      let many = try await Self.federation(DrawingExecutor(), lanes: lanes, fraction: 0.5)
        .run(from: Self.start())
      #expect(try many.state.model.isIdentical(to: one.state.model))
    }
    #expect(one.reason == .allRounds)
  }

  @Test func aRunThatGoesOnAfterARoundEndsWithTheSameModel() async throws {
    var afterFirst: WorkflowState?
    let whole = try await Self.federation(DrawingExecutor()).run(
      from: Self.start()
    ) { result in
      if result.round == 1 { afterFirst = result.state }
    }
    let saved = try #require(afterFirst)
    let rest = try await Self.federation(DrawingExecutor()).run(
      from: saved
    )
    #expect(try rest.state.model.isIdentical(to: whole.state.model))
  }

  @Test func unusableUpdatesAreNamedAndTheRoundGoesOn() async throws {
    let executor = UnrulyExecutor { index in
      switch index {
      case 1: try ModelState([(name: "weight", tensor: Tensor.full(.nan, shape: [300]))])
      case 2: try ModelState([(name: "weight", tensor: Tensor.full(.infinity, shape: [300]))])
      case 3: try ModelState([(name: "weight", tensor: Tensor.zeros([299]))])
      case 4: throw UnrulyExecutor.Unreachable()
      default: nil
      }
    }
    var results: [RoundResult] = []
    _ = try await Self.federation(executor, rounds: 1, minimum: 8).run(
      from: Self.start()
    ) { results.append($0) }
    let round = try #require(results.first)
    #expect(round.refusals.map(\.site) == ["site-2", "site-3", "site-4", "site-5"])
    #expect(round.refusals.allSatisfy { $0.reason.contains($0.site) })
    #expect(round.contributions.count == 8)
    #expect(try round.model.isIdentical(to: Self.start().model))
  }

  @Test func tooFewUsableUpdatesEndTheRunWithTheReasons() async throws {
    let executor = UnrulyExecutor { index in
      if index != 0 { throw UnrulyExecutor.Unreachable() }
      return nil
    }
    let error = await #expect(throws: FederationError.self) {
      try await Self.federation(executor, minimum: 2).run(
        from: Self.start()
      )
    }
    #expect(error?.code == .tooFewSites)
    #expect(error?.message.contains("of 12 sites gave a usable answer, 2 are needed") == true)
    #expect(error?.message.contains("Unreachable") == true)
  }

  /// A disk that is full, say: the run ends with what it is, and can go on when there is room.
  @Test func whatThisMachineCannotKeepIsNoFaultOfTheSites() async throws {
    var rule = try TrimmedMean(0.1)
    rule.settings = CollectiveSettings(memory: 0, folder: "/no/such/folder")
    var federation = try Self.federation(DrawingExecutor(), rounds: 1)
    federation.workflow = try FedAvg(rounds: 1, rule: rule)
    let refused = Counter()
    let error = await #expect(throws: TensorError.self) {
      try await federation.run(from: Self.start()) { _ in
      } journal: { event in
        if case .answerRefused = event { _ = refused.increment() }
      }
    }
    #expect(error?.code == .fileSystem && error?.message.contains("/no/such/folder") == true)
    #expect(refused.value == 0)
  }

  @Test func theRunStopsAtItsTargetAccuracy() async throws {
    var rounds = 0
    var federation = try Self.federation(DrawingExecutor(), rounds: 9, target: 0.5)
    federation.evaluate = { _ in Evaluation(accuracy: 0.6, loss: 0) }
    let outcome = try await federation.run(from: Self.start()) { _ in rounds += 1 }
    #expect(outcome.reason == .targetReached)
    #expect(rounds == 1)
  }

  @Test func aCancelledRunThrowsAndSavesNoFurtherRound() async throws {
    let saved = Counter()
    let run = Task {
      try await Self.federation(DrawingExecutor(), rounds: 1_000_000).run(
        from: Self.start()
      ) { _ in
        if saved.increment() == 3 { withUnsafeCurrentTask { $0?.cancel() } }
      }.reason
    }
    await #expect(throws: CancellationError.self) { try await run.value }
    #expect(saved.value == 3)
  }

  @Test func sitesReportTheirLossByWeight() async throws {
    var loss: Double?
    _ = try await Self.federation(DrawingExecutor(), rounds: 1).run(
      from: Self.start()
    ) { loss = $0.trainingLoss }
    #expect(loss == 1)
  }

  /// Hands over an answer of each site, then the first site's again and one of a site that was not asked.
  private struct RepeatingTransport: Transport {
    let sites: [Site]

    func ask(_ tasks: [SiteTask], report: @escaping @Sendable (SiteEvent) -> Void) async {
      for task in tasks { report(.answered(task.site, .success(.weights(task.model, weight: 2)))) }
      guard let first = tasks.first else { return }
      report(.answered(first.site, .success(.weights(first.model, weight: 2))))
      let stranger = Site(index: 99, name: "site-100", exampleCount: 5)
      report(.answered(stranger, .success(.weights(first.model, weight: 2))))
    }
  }

  @Test func anAnswerThatNobodyAskedForIsNotCounted() async throws {
    var round: RoundResult?
    let transport = RepeatingTransport(sites: Array(Self.sites.prefix(3)))
    _ = try await Federation(
      workflow: FedAvg(rounds: 1),
      transport: transport,
      key: RandomKey(seed: 1)
    ).run(from: Self.start()) { round = $0 }
    #expect(round?.contributions.map(\.index) == [0, 1, 2])
    #expect(round?.refusals.map(\.site) == ["site-1", "site-100"])
  }

  @Test func aMeasurementThatIsNotANumberIsLeftOut() async throws {
    struct Diverged: Executor {
      func execute(_ task: SiteTask, at site: SiteContext) async throws -> Exchange {
        .weights(task.model, weight: 1, metrics: ["loss": .nan, "accuracy": 0.5])
      }
    }
    var round: RoundResult?
    _ = try await Self.federation(Diverged(), rounds: 1)
      .run(from: Self.start()) { round = $0 }
    #expect(round?.contributions.first?.metrics == ["accuracy": 0.5])
    #expect(round?.trainingLoss == nil)
  }
}
