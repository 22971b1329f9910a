import TesseraCore
import TesseraFederation
import TesseraTesting
import Testing

/// Each algorithm against one that is written out with NumPy, for three rounds.
@Suite struct AlgorithmTests {
  /// What a run leaves.
  private struct Outcome {
    var rounds: [RoundResult] = []
    let memories = VolatileSiteMemories()
    let sites: [Site]

    func memory(_ name: String, of site: Int) throws -> ModelState {
      try #require(memories.contents(of: sites[site], before: 99)[name])
    }
  }

  private let fixture: AlgorithmFixture

  init() throws { fixture = try AlgorithmFixture.load() }

  private func run(
    _ workflow: any Workflow,
    _ algorithm: any SiteAlgorithm,
    epochs: [Int] = [1, 1, 1, 1],
    momentum: Double = 0,
    isNormed: Bool = false,
    lanes: Int = 2,
    from state: WorkflowState? = nil
  ) async throws -> Outcome {
    let sites = fixture.sites.enumerated().map {
      Site(index: $0.offset, name: "site-\($0.offset + 1)", exampleCount: $0.element.y.count)
    }
    var outcome = Outcome(sites: sites)
    let executor = RegressionExecutor(
      examples: try fixture.examples(),
      algorithm: algorithm,
      epochs: epochs,
      momentum: momentum
    )
    let transport = InProcessTransport(
      sites: sites,
      worker: SiteWorker(executor: executor, memories: outcome.memories),
      pool: LanePool(lanes: lanes)
    )
    let federation = Federation(
      workflow: workflow,
      transport: transport,
      key: RandomKey(seed: 3)
    )
    let start = try state ?? WorkflowState(model: fixture.model(isNormed: isNormed))
    _ = try await federation.run(from: start) { outcome.rounds.append($0) }
    return outcome
  }

  private func expect(
    _ state: ModelState,
    _ expected: [String: [Double]],
    _ note: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    #expect(Set(state.names) == Set(expected.keys), sourceLocation: sourceLocation)
    for (name, tensor) in state.entries {
      expectClose(
        tensor,
        try Tensor(expected[name] ?? [], shape: tensor.shape),
        absolute: 1e-12,
        relative: 0,
        "\(note), \(name)",
        sourceLocation: sourceLocation
      )
    }
  }

  @discardableResult
  private func expect(
    _ outcome: Outcome,
    _ name: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws -> AlgorithmFixture.Case {
    let expected = try #require(fixture.cases[name], sourceLocation: sourceLocation)
    #expect(outcome.rounds.count == 3, sourceLocation: sourceLocation)
    for (round, numbers) in zip(outcome.rounds, expected.rounds) {
      #expect(round.refusals.isEmpty, sourceLocation: sourceLocation)
      try expect(
        round.model,
        numbers,
        "\(name), round \(round.round)",
        sourceLocation: sourceLocation
      )
    }
    return expected
  }

  @Test func fedAvg() async throws {
    try expect(try await run(FedAvg(rounds: 3), .plain), "fedavg")
    let normed = try await run(FedAvg(rounds: 3), .plain, momentum: 0.5, isNormed: true)
    try expect(normed, "fedavg normed")
  }

  @Test func fedAvgWithMomentumAndOtherServerOptimizers() async throws {
    let optimizers: [(String, any ServerOptimizer)] = [
      ("fedavgm", try ServerSGD(learningRate: 0.9, momentum: 0.7)),
      ("fedsgd", try ServerSGD(learningRate: 0.6, momentum: 0)),
      ("fedadam", try .adam(learningRate: 0.05)),
      ("fedadagrad", try .adagrad(learningRate: 0.1)),
      ("fedyogi", try .yogi(learningRate: 0.05)),
    ]
    for (name, optimizer) in optimizers {
      let workflow = try FedAvg(rounds: 3, serverOptimizer: optimizer)
      try expect(try await run(workflow, .plain), name)
    }
  }

  @Test func serverOptimizersLeaveRunningStatisticsTheirMean() async throws {
    let adam = try AdaptiveServerOptimizer.adam(
      learningRate: 0.05,
      beta1: 0.8,
      beta2: 0.9,
      tau: 1e-2
    )
    let workflow = try FedAvg(rounds: 3, serverOptimizer: adam)
    let outcome = try await run(workflow, .plain, isNormed: true)
    try expect(outcome, "fedadam normed")
    let memory = try #require(outcome.rounds.last?.state.memory[AdaptiveServerOptimizer.meanName])
    #expect(memory.names == ["norm.weight", "norm.bias", "head.weight", "head.bias"])
  }

  @Test func aServerOptimizerGoesOnFromTheStateAfterARound() async throws {
    let optimizers: [any ServerOptimizer] = [try .sgd(), try .yogi(learningRate: 0.05)]
    for optimizer in optimizers {
      let workflow = try FedAvg(rounds: 3, serverOptimizer: optimizer)
      let whole = try await run(workflow, .plain).rounds
      let rest = try await run(workflow, .plain, from: try #require(whole.first).state).rounds
      #expect(rest.map(\.round) == [2, 3])
      #expect(try #require(rest.last).model.isIdentical(to: #require(whole.last).model))
    }
  }

  @Test func fedProx() async throws {
    try expect(try await run(FedAvg(rounds: 3), .fedProx(mu: 0.7)), "fedprox")
    // Without a pull it is plain training, bit for bit.
    let none = try await run(FedAvg(rounds: 3), .fedProx(mu: 0))
    let plain = try await run(FedAvg(rounds: 3), .plain)
    let (a, b) = (try #require(none.rounds.last), try #require(plain.rounds.last))
    #expect(try a.model.isIdentical(to: b.model))
  }

  @Test func scaffold() async throws {
    let cases: [(String, Scaffold, Double, Bool)] = [
      ("scaffold", try Scaffold(rounds: 3), 0, false),
      ("scaffold normed", try Scaffold(rounds: 3), 0.5, true),
      (
        "scaffold partial",
        try Scaffold(
          rounds: 3,
          fraction: 0.5,
          serverOptimizer: .sgd(learningRate: 0.8, momentum: 0)
        ), 0, false
      ),
    ]
    for (name, workflow, momentum, isNormed) in cases {
      let outcome = try await run(workflow, .scaffold, momentum: momentum, isNormed: isNormed)
      let expected = try expect(outcome, name)
      #expect(outcome.rounds.map { $0.contributions.map(\.index) } == expected.drawn)
      for (round, control) in zip(outcome.rounds, try #require(expected.controls)) {
        let memory = try #require(round.state.memory[Scaffold.controlPart])
        try expect(memory, control, "\(name), control variate")
      }
      for site in Set(try #require(expected.drawn).joined()) {
        try expect(
          outcome.memory(ScaffoldTraining.memoryName, of: site),
          try #require(expected.sites)[site],
          "\(name), control variate of site \(site + 1)"
        )
      }
    }
  }

  @Test func ditto() async throws {
    let outcome = try await run(FedAvg(rounds: 3), .ditto(lambda: 0.4))
    let expected = try expect(outcome, "ditto")
    for (site, model) in try #require(expected.sites).enumerated() {
      try expect(outcome.memory(Ditto.memoryName, of: site), model, "the model of site \(site + 1)")
    }
  }

  @Test func fedBN() async throws {
    let outcome = try await run(FedAvg(rounds: 3), .fedBN(names: ["norm.*"]), isNormed: true)
    let expected = try expect(outcome, "fedbn")
    for (site, own) in try #require(expected.sites).enumerated() {
      try expect(outcome.memory(FedBN.memoryName, of: site), own, "the norm of site \(site + 1)")
    }
    let norms = FedBN.namesOfBatchNorms(in: try Regression(isNormed: true))
    #expect(
      norms == ["norm.weight", "norm.bias", "norm.runningMean", "norm.runningVariance"]
    )
  }

  @Test func fedNova() async throws {
    let epochs = [1, 3, 2, 1]
    try expect(try await run(FedNova(rounds: 3), .fedNova, epochs: epochs), "fednova")
    let normed = try await run(
      FedNova(rounds: 3),
      .fedNova,
      epochs: epochs,
      momentum: 0.5,
      isNormed: true
    )
    try expect(normed, "fednova normed")
  }

  @Test func aSiteThatIsNotPartOfTheAlgorithmIsRefused() async throws {
    for workflow in [try FedNova(rounds: 1) as any Workflow, try Scaffold(rounds: 1)] {
      let error = await #expect(throws: FederationError.self) {
        try await run(workflow, FedBN(names: ["norm.*"]), isNormed: true)
      }
      #expect(error?.code == .tooFewSites)
    }
    let error = await #expect(throws: FederationError.self) {
      try await run(FedAvg(rounds: 1), .scaffold)
    }
    #expect(error?.message.contains("SCAFFOLD needs a model and a control variate") == true)
  }

  @Test func namesThatLeaveNothingToShareOrToKeepAreRefused() async throws {
    for names in [["*"], ["nrom.*"]] {
      let error = await #expect(throws: FederationError.self) {
        try await run(FedAvg(rounds: 1), .fedBN(names: names), isNormed: true)
      }
      #expect(error?.message.contains("'names'") == true)
    }
  }

  @Test func theOrderOfArrivalDoesNotMatter() async throws {
    let two = try await run(FedNova(rounds: 3), .fedNova).rounds.last
    for lanes in [1, 3] {
      let other = try await run(FedNova(rounds: 3), .fedNova, lanes: lanes).rounds.last
      #expect(try #require(other).model.isIdentical(to: #require(two).model))
    }
  }
}
