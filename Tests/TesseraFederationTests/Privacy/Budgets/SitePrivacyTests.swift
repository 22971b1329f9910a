import TesseraCore
import TesseraFederation
import TesseraTesting
import Testing

@Suite struct SitePrivacyTests {
  private static let site = Site(index: 0, name: "site-1", exampleCount: 10)

  private static func model() throws -> ModelState {
    try Sample.state(("a", Tensor.zeros([4])), ("steps", Tensor([0])))
  }

  private static let echoing = Doing { task, site in
    .weights(task.model, samples: 10, metrics: ["loss": 0.25])
  }

  private static func task(step: Int, _ name: TaskName = .train) throws -> SiteTask {
    SiteTask(
      step: step,
      name: name,
      round: step,
      site: site,
      data: .weights(try model()),
      key: RandomKey(seed: 3)[step]
    )
  }

  private static func worker(
    _ filters: [any Filter],
    epsilon: Double,
    executor: any Executor = echoing,
    memories: any SiteMemoryStore = VolatileSiteMemories()
  ) throws -> SiteWorker {
    SiteWorker(
      executor: executor,
      filters: SiteFilters(results: filters),
      memories: memories,
      budget: try PrivacyBudget(epsilon: epsilon, delta: 0)
    )
  }

  private static func events(_ memories: any SiteMemoryStore) throws -> [[PrivacyEvent]] {
    let memory = try memories.contents(of: site, before: .max)
    return try SitePrivacy.ledger(in: memory, of: site)?.entries.map(\.events) ?? []
  }

  @Test func theSiteThatWouldOverspendIsRefusedAndTheRoundGoesOn() async throws {
    let sites = (0..<3).map { Site(index: $0, name: "site-\($0 + 1)", exampleCount: 10) }
    func run(lanes: Int) async throws -> (rounds: [RoundResult], memories: VolatileSiteMemories) {
      let memories = VolatileSiteMemories()
      let executor = Doing { task, site in
        if task.site.index == 1 {
          try site.charge([PrivacyEvent(.pure(epsilon: 1))], for: "training")
        }
        return .weights(task.model, samples: 10)
      }
      let worker = SiteWorker(
        executor: executor,
        filters: SiteFilters(results: [try LaplaceNoise(epsilon: 1, nonFloating: .kept)]),
        memories: memories,
        budget: try PrivacyBudget(epsilon: 5, delta: 0)
      )
      let federation = Federation(
        workflow: try FedAvg(rounds: 4),
        transport: InProcessTransport(sites: sites, worker: worker, pool: LanePool(lanes: lanes)),
        key: RandomKey(seed: 4)
      )
      var rounds: [RoundResult] = []
      _ = try await federation.run(from: WorkflowState(model: Self.model())) { rounds.append($0) }
      return (rounds, memories)
    }
    let (rounds, memories) = try await run(lanes: 1)
    #expect(rounds.map { $0.refusals.map(\.site) } == [[], [], ["site-2"], ["site-2"]])
    #expect(rounds.map(\.contributions.count) == [3, 3, 2, 2])
    let reason = try #require(rounds[2].refusals.first?.reason)
    for part in ["site-2", "round 3", "spent 5.0", "with it 6.0", "allowed 5.0"] {
      #expect(reason.contains(part), "\(reason)")
    }
    // The training fitted in, the answer did not; of a task that is refused nothing stays in the ledger.
    #expect(
      try SitePrivacy.epsilon(of: sites, in: memories, after: 4)
        == ["site-1": 4, "site-2": 4, "site-3": 4]
    )
    let other = try await run(lanes: 3).rounds
    #expect(try other[3].model.isIdentical(to: rounds[3].model))
  }

  @Test func aRepeatedTaskCountsOnceAlsoAfterAKill() async throws {
    let folder = try TemporaryFolder()
    let noise = try LaplaceNoise(epsilon: 1, nonFloating: .kept)
    func answer(_ step: Int) async throws -> Exchange {
      // Each time as a new process.
      let memories = try FolderSiteMemories(in: folder.path)
      return try await Self.worker([noise], epsilon: 2, memories: memories)
        .answer(Self.task(step: step))
    }
    let first = try await answer(1)
    #expect(try await answer(1).tensors.isIdentical(to: first.tensors))
    _ = try await answer(2)
    #expect(try Self.events(FolderSiteMemories(in: folder.path)).count == 2)
    let error = await #expect(throws: FederationError.self) { _ = try await answer(3) }
    #expect(error?.code == .budgetExhausted)

    let volatile = try Self.worker([noise], epsilon: 1)
    for _ in 1...3 { _ = try await volatile.answer(Self.task(step: 1)) }
    await #expect(throws: FederationError.self) { try await volatile.answer(Self.task(step: 2)) }
  }

  @Test func modelsLeaveASiteWithABudgetOnlyIfSomethingMakesThemPrivate() async throws {
    let bare = try Self.worker([ClipNorm()], epsilon: 1)
    for name in [TaskName.train, .submitModel] {
      let error = await #expect(throws: FederationError.self) {
        try await bare.answer(Self.task(step: 1, name))
      }
      #expect(error?.code == .invalidConfiguration)
      #expect(error?.message.contains("site-1") == true)
    }
    _ = try await bare.answer(Self.task(step: 1, .initialize))
    let custom = try Self.worker(
      [LaplaceNoise()],
      epsilon: 1,
      executor: Doing { task, _ in Exchange(.custom("activations"), tensors: task.model) }
    )
    await #expect(throws: FederationError.self) { try await custom.answer(Self.task(step: 1)) }
    let noisy = try Self.worker([LaplaceNoise()], epsilon: 1)
    #expect(try await noisy.answer(Self.task(step: 1)).metrics.isEmpty)
    let measured = try Self.worker(
      [LaplaceNoise()],
      epsilon: 1,
      executor: Doing { _, _ in .metrics(["accuracy": 0.5]) }
    )
    #expect(try await measured.answer(Self.task(step: 1, .evaluate)).metrics == ["accuracy": 0.5])
  }

  @Test func eachFilterCostsWhatItPromises() throws {
    let context = Sample.context()
    let model = Exchange.weights(try Self.model())
    let pair = Exchange.collection(["model": model, "variate": model])
    func events(
      _ filter: any PrivacySpending,
      _ exchange: Exchange,
      after earlier: [any Filter] = []
    ) throws -> [PrivacyEvent] {
      try filter.privacyEvents(for: exchange, in: context, after: earlier)
    }
    let gaussian = try GaussianNoise(noiseMultiplier: 3, clipNorm: 2)
    let clip = try ClipNorm(norm: 2)
    // Two clipped updates can be twice the norm apart.
    #expect(
      try events(gaussian, pair, after: [clip])
        == [PrivacyEvent(.gaussian(noiseMultiplier: 1.5), count: 2)]
    )
    #expect(try events(gaussian, .metrics(["loss": 1])).isEmpty)
    for loose in [try ClipNorm(norm: 2.1), try ClipNorm(norm: 1, perTensor: true)] {
      expectRefusal(.invalidConfiguration, naming: "clip-norm") {
        _ = try events(gaussian, model, after: [loose])
      }
    }
    expectRefusal(.invalidConfiguration, naming: "gaussian-noise") {
      _ = try events(GaussianNoise(standardDeviation: 1), model, after: [clip])
    }
    #expect(
      try events(LaplaceNoise(epsilon: 0.5, sensitivity: 3), model)
        == [PrivacyEvent(.laplace(noiseMultiplier: 2))]
    )
    expectRefusal(.invalidConfiguration, naming: "laplace-noise") {
      _ = try events(LaplaceNoise(scale: 1), model)
    }
    // Of four elements two are shared; the whole number does not count.
    let svt = try SVTPrivacy(fraction: 0.5, epsilon: 0.25, noiseVariance: 0.125)
    let cost = svt.epsilon(elements: 4)
    #expect(
      try events(svt, pair)
        == [PrivacyEvent(.pure(epsilon: cost)), PrivacyEvent(.pure(epsilon: cost))]
    )
  }

  @Test func aLedgerThatIsDamagedOrOfAnotherBudgetIsRefused() async throws {
    let memories = VolatileSiteMemories()
    let noise = try LaplaceNoise()
    _ = try await Self.worker([noise], epsilon: 2, memories: memories)
      .answer(Self.task(step: 1))
    let other = try Self.worker([noise], epsilon: 3, memories: memories)
    let error = await #expect(throws: FederationError.self) {
      try await other.answer(Self.task(step: 2))
    }
    #expect(error?.code == .cannotResume)
    let damaged = [SitePrivacy.memoryName: try Sample.state(("json", Tensor.zeros([3])))]
    expectRefusal(.cannotResume, naming: "site-1") {
      _ = try SitePrivacy.ledger(in: damaged, of: Self.site)
    }
  }
}
