import Synchronization
import TesseraCore
import TesseraFederation
import TesseraTesting
import Testing

@Suite struct CyclicTransferTests {
  /// Appends each site's number to the model, as digits.
  private static let writing = Doing { task, site in
    .weights(try task.model.mapTensors { try $1 * 10 + (site.site.index + 1) }, samples: 1)
  }

  private static func run(_ order: CyclicTransfer.Order, seed: UInt64 = 1) async throws -> [Int] {
    let start = WorkflowState(
      model: try ModelState([(name: "digits", tensor: Tensor.zeros([], dtype: .float64))])
    )
    let simulation = Simulation(workflow: try CyclicTransfer(rounds: 2, order: order), seed: seed)
    return try await simulation.run(Self.writing, from: start).rounds.map {
      try #require($0.model["digits"]).itemAsInteger()
    }
  }

  @Test func theModelTravelsThroughTheSitesInOrder() async throws {
    #expect(try await Self.run(.fixed) == [12345, 12_345_12345])
  }

  @Test func aDrawnOrderIsAPermutationThatDiffersFromRoundToRound() async throws {
    var seen: Set<Int> = []
    for seed in 1...4 {
      let both = try await Self.run(.random, seed: UInt64(seed))[1]
      for order in [both / 100_000, both % 100_000] {
        #expect("\(order)".sorted() == ["1", "2", "3", "4", "5"])
        seen.insert(order)
      }
      #expect(try await Self.run(.random, seed: UInt64(seed))[1] == both)
    }
    #expect(seen.count > 4)
  }

  @Test func settingsThatMakeNoSenseAreRefused() {
    #expect(throws: FederationError.self) { try CyclicTransfer(rounds: 0) }
    #expect(throws: FederationError.self) { try CyclicTransfer(rounds: 1, fraction: 0) }
  }
}

@Suite struct EvaluationTests {
  /// Site i's own model is i; on site j's data a model's loss is (i − j)², but site 3 measures nothing and site 5 has no model.
  private static let executor = Doing { task, site in
    switch task.name {
    case .submitModel:
      if site.site.index == 4 { throw Broken() }
      return .weights(try model([Double(site.site.index)]), samples: 1)
    case .evaluate:
      if site.site.index == 2 { throw Broken() }
      let distance = try #require(task.model["weight"]).item() - Double(site.site.index)
      return .metrics(
        ["loss": distance * distance, "accuracy": 1 / (1 + distance * distance), "bad": .nan],
        samples: site.site.exampleCount
      )
    default: throw Broken()
    }
  }
  private static func start() throws -> WorkflowState { WorkflowState(model: try model([1])) }

  @Test func everyModelIsMeasuredOnEverySitesData() async throws {
    let result = try await Simulation(workflow: CrossSiteEvaluation())
      .run(Self.executor, from: Self.start())
    let matrix = try #require(
      try result.state.document(CrossSiteMatrix.document, as: CrossSiteMatrix.self)
    )
    #expect(matrix.models == ["global model", "site-1", "site-2", "site-3", "site-4"])
    #expect(matrix.sites == (1...5).map { "site-\($0)" })
    #expect(matrix.metrics == ["accuracy", "loss"])
    let losses = matrix.values(of: "loss")
    #expect(losses[0] == [1, 0, nil, 4, 9])
    #expect(losses[1] == [0, 1, nil, 9, 16])
    #expect(losses[4] == [9, 4, nil, 0, 1])
    #expect(matrix.cells[1][4]?.samples == 50)
    // Rows by examples, columns by models.
    let mean = (10.0 + 160 + 450) / 120
    #expect(matrix.modelMeans(of: "loss")[0] == mean)
    #expect(matrix.siteMeans(of: "loss") == [3, 1.2, nil, 3.6, 7.8])
    #expect(matrix.withoutModel.keys.sorted() == ["site-5"])
    #expect(try result.state.model.isIdentical(to: Self.start().model))
  }

  @Test func theMatrixIsTheSameOnAnyNumberOfLanes() async throws {
    let documents = try await [1, 3].asyncMap { lanes in
      try await Simulation(workflow: CrossSiteEvaluation(), lanes: lanes)
        .run(Self.executor, from: Self.start()).state.documents
    }
    #expect(documents[0] == documents[1])
  }

  @Test func theGlobalModelIsMeasuredByAll() async throws {
    let result = try await Simulation(workflow: GlobalModelEvaluation())
      .run(Self.executor, from: Self.start())
    let evaluation = try #require(
      try result.state.document(
        GlobalModelEvaluation.document,
        as: GlobalModelEvaluation.Result.self
      )
    )
    #expect(evaluation.sites.keys.sorted() == ["site-1", "site-2", "site-4", "site-5"])
    let mean = (10.0 + 160 + 450) / 120
    #expect(evaluation.means["loss"] == mean)
    #expect(evaluation.missing.keys.sorted() == ["site-3"])
  }

  @Test func withoutAnyMeasurementTheRoundFails() async throws {
    let broken = Doing { _, _ in throw Broken() }
    for workflow in [CrossSiteEvaluation() as any Workflow, GlobalModelEvaluation()] {
      let error = await #expect(throws: FederationError.self) {
        try await Simulation(workflow: workflow).run(broken, from: Self.start())
      }
      #expect(error?.code == .tooFewSites)
    }
    let unknown = CrossSiteEvaluation(models: ["site-9"])
    await #expect(throws: FederationError.self) {
      try await Simulation(workflow: unknown).run(Self.executor, from: Self.start())
    }
  }
}

extension Array {
  fileprivate func asyncMap<Result>(
    _ body: (Element) async throws -> Result
  ) async rethrows -> [Result] {
    var results: [Result] = []
    for element in self { results.append(try await body(element)) }
    return results
  }
}

@Suite struct ChainTests {
  private static let executor = Doing { task, site in
    switch task.name {
    case .initialize:
      if site.site.index < 2 { throw Broken() }
      return .weights(try model([Double(site.site.index), 5]))
    case .train: return .weights(try task.model.mapTensors { try $1 + 1 }, samples: 1)
    case .evaluate: return .metrics(["loss": 1])
    default: throw Broken()
    }
  }

  @Test func theFirstSiteThatHasAModelGivesTheInitialWeights() async throws {
    let simulation = Simulation(workflow: InitialWeights())
    let result = try await simulation.run(Self.executor, from: WorkflowState(model: .empty))
    expectClose(try #require(result.state.model["weight"]), [2, 5])
    #expect(result.rounds[0].refusals.map(\.site) == ["site-1", "site-2"])
  }

  @Test func aNamedSiteGivesThemOrTheRunEnds() async throws {
    let fourth = try await Simulation(workflow: InitialWeights(from: "site-4")).run(Self.executor)
    expectClose(try #require(fourth.state.model["weight"]), [3, 5])
    for name in ["site-1", "nobody"] {
      await #expect(throws: FederationError.self) {
        try await Simulation(workflow: InitialWeights(from: name)).run(Self.executor)
      }
    }
  }

  @Test func initialWeightsMustFitTheModelThatIsThere() async throws {
    let start = WorkflowState(model: try model([1, 2, 3]))
    await #expect(throws: FederationError.self) {
      try await Simulation(workflow: InitialWeights()).run(Self.executor, from: start)
    }
  }

  @Test func workflowsFollowOneAnother() async throws {
    let inner = try WorkflowChain([FedAvg(rounds: 2), CyclicTransfer(rounds: 1)])
    let chain = try WorkflowChain([InitialWeights(), inner, GlobalModelEvaluation()])
    #expect(chain.rounds == 5)
    let result = try await Simulation(workflow: chain).run(Self.executor)
    // Two means add 1 each, and the tour adds 1 for each of the five sites.
    expectClose(try #require(result.state.model["weight"]), [9, 12])
    #expect(result.state.documents[GlobalModelEvaluation.document] != nil)
    #expect(result.state.isFinished && result.rounds.count == 5)
  }

  @Test func aChainThatGoesOnAfterAnyRoundEndsTheSame() async throws {
    let chain = try WorkflowChain([InitialWeights(), FedAvg(rounds: 2), CyclicTransfer(rounds: 1)])
    let whole = try await Simulation(workflow: chain).run(Self.executor)
    for round in whole.rounds.dropLast() {
      let rest = try await Simulation(workflow: chain).run(Self.executor, from: round.state)
      #expect(try rest.state.model.isIdentical(to: whole.state.model))
      #expect(rest.state.documents == whole.state.documents)
    }
  }

  @Test func aWorkflowThatIsDoneEarlyGivesWay() async throws {
    let early = Script(rounds: 9) { state, _ in state.isFinished = true }
    let chain = try WorkflowChain([early, FedAvg(rounds: 1)])
    let result = try await Simulation(workflow: chain).run(Self.executor)
    #expect(result.rounds.count == 2)
    expectClose(try #require(result.state.model["weight"]), [1, 1])
  }

  @Test func anEmptyChainIsRefused() {
    #expect(throws: FederationError.self) { try WorkflowChain([]) }
  }
}

@Suite struct SwarmTests {
  private static let sites = Simulation(workflow: CrossSiteEvaluation()).sites
  private static let training = Doing { task, site in
    .weights(
      try task.model.mapTensors {
        try $1 + Tensor.normal($1.shape, using: Generator(key: task.key))
      },
      samples: site.site.exampleCount,
      metrics: ["loss": 1]
    )
  }

  @Test func theSitesAggregateToTheSameBitsAsAServer() async throws {
    let swarm = try await Simulation(workflow: Swarm(rounds: 3))
      .run(SwarmSite(Self.training, sites: Self.sites))
    let server = try await Simulation(workflow: FedAvg(rounds: 3)).run(Self.training)
    #expect(try swarm.state.model.isIdentical(to: server.state.model))
    #expect(swarm.rounds.last?.trainingLoss == 1)
  }

  @Test func theRoleRotatesAndFailuresAreReplaced() async throws {
    let asked = Told<(round: Int, site: Int)>()
    let swarm = SwarmSite(Self.training, sites: Self.sites)
    let executor = Doing { task, site in
      if task.name == .aggregate {
        asked.add((task.round, site.site.index))
        if site.site.index < 3 { throw Broken() }
      }
      return try await swarm.execute(task, at: site)
    }
    let result = try await Simulation(workflow: Swarm(rounds: 12)).run(executor)
    let server = try await Simulation(workflow: FedAvg(rounds: 12)).run(Self.training)
    #expect(try result.state.model.isIdentical(to: server.state.model))
    let last = (1...12).map { round in asked.all.last { $0.round == round }?.site }
    #expect(Set(last) == [3, 4])
    #expect(asked.all.count > 12)
    #expect(result.rounds.reduce(0) { $0 + $1.refusals.count } == asked.all.count - 12)
  }

  @Test func anAggregateThatIsNoModelIsNotTaken() async throws {
    let executor = Doing { task, site in
      guard task.name == .aggregate else { return try await Self.training.execute(task, at: site) }
      return .weights(try model([.nan, 0]))
    }
    let error = await #expect(throws: FederationError.self) {
      try await Simulation(workflow: Swarm(rounds: 1)).run(executor)
    }
    #expect(error?.code == .tooFewSites)
    await #expect(throws: FederationError.self) {
      try await Simulation(workflow: Swarm(rounds: 1, aggregators: ["nobody"])).run(executor)
    }
  }

  @Test func anUpdateThatDoesNotFitIsLeftOutByTheAggregator() async throws {
    let swarm = SwarmSite(
      Doing { task, site in
        if site.site.index == 1 { return .weights(try model([1]), samples: 1) }
        return .weights(try task.model.mapTensors { try $1 + 3 }, samples: 1)
      },
      sites: Self.sites
    )
    let result = try await Simulation(workflow: Swarm(rounds: 1)).run(swarm)
    expectClose(try #require(result.state.model["weight"]), [3, 3])
    let aggregator = try #require(
      result.rounds[0].contributions.first { $0.metrics["aggregated updates"] != nil }
    )
    #expect(aggregator.metrics == ["aggregated updates": 4, "refused updates": 1])
  }
}
