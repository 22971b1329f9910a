import TesseraCore
import TesseraFederation
import TesseraTesting
import Testing

@Suite struct BestModelTests {
  /// Training counts the model's element up; sites find the model the better, the nearer it is to 3.
  private static let executor = Doing { task, site in
    guard task.name == .evaluate else {
      return .weights(try task.model.mapTensors { try $1 + 1 }, samples: site.site.exampleCount)
    }
    if site.site.index == 4 { throw Broken() }
    let distance = abs(try #require(task.model["weight"]).flattened().slice(at: 0).item() - 3)
    return .metrics(["accuracy": 1 / (1 + distance), "loss": distance], samples: 10)
  }

  private static func best(
    _ workflow: any Workflow,
    lastRound: Int? = nil,
    from state: WorkflowState? = nil
  ) async throws -> (state: WorkflowState, rounds: [RoundResult], results: [BestModel.Result]) {
    var simulation = Simulation(workflow: workflow)
    simulation.lastRound = lastRound
    let outcome = try await simulation.run(executor, from: state)
    return (
      outcome.state, outcome.rounds,
      try outcome.state.document(BestModel.document, as: [BestModel.Result].self) ?? []
    )
  }

  private static func value(_ state: WorkflowState) throws -> Double {
    try #require(state.model["weight"]).flattened().slice(at: 0).item()
  }

  @Test(arguments: [("accuracy", BestModel.Goal.highest), ("loss", .lowest)])
  func theRunEndsWithItsBestModel(metric: String, goal: BestModel.Goal) async throws {
    let workflow = try BestModel(of: FedAvg(rounds: 6), by: metric, goal: goal)
    let run = try await Self.best(workflow)
    #expect(try run.rounds.map { try Self.value($0.state) } == [1, 2, 3, 4, 5, 3])
    #expect(run.results.count == 1)
    #expect(run.results.first?.best == 2 && run.results.first?.isFinished == true)
    #expect(run.results.first?.values.count == 6)
    #expect(run.state.memory.isEmpty)
    // Whoever measured stands in the round, and who could not.
    #expect(run.rounds[0].contributions.count { $0.task == .evaluate } == 4)
    #expect(run.rounds[0].refusals.map(\.site) == ["site-5"])
  }

  @Test func itEndsEarlyWhenNothingIsBetterForSomeRounds() async throws {
    let run = try await Self.best(BestModel(of: FedAvg(rounds: 50), patience: 2))
    #expect(run.rounds.count == 5)
    #expect(try Self.value(run.state) == 3)
    #expect(run.state.isFinished)
    let buffered = try await Self.best(
      BestModel(of: FedBuff(rounds: 50, bufferSize: 2, concurrency: 3), patience: 2)
    )
    #expect(buffered.rounds.count < 50 && buffered.state.memory.isEmpty)
    #expect(buffered.state.documents.keys.sorted() == [BestModel.document])
  }

  @Test func aRunThatGoesOnAfterAnyRoundEndsTheSame() async throws {
    let workflow = try WorkflowChain([
      BestModel(of: FedAvg(rounds: 50), patience: 2), GlobalModelEvaluation(),
      BestModel(of: FedAvg(rounds: 2), by: "loss", goal: .lowest),
    ])
    let whole = try await Self.best(workflow)
    #expect(whole.results.map(\.metric) == ["accuracy", "loss"])
    #expect(whole.results.map(\.isFinished) == [true, true])
    // 3, and trained on twice: 4 is the better one.
    #expect(try Self.value(whole.state) == 4)
    for round in 1..<whole.rounds.count {
      let first = try await Self.best(workflow, lastRound: round)
      let second = try await Self.best(workflow, from: first.state)
      #expect(second.state.documents == whole.state.documents)
      #expect(try second.state.model.isIdentical(to: whole.state.model))
    }
  }

  @Test func whatNoSiteMeasuresCannotBeComparedBy() async throws {
    let error = await #expect(throws: FederationError.self) {
      try await Self.best(BestModel(of: FedAvg(rounds: 2), by: "dice", patience: 1))
    }
    #expect(error?.code == .tooFewSites)
    #expect(error?.message.contains("round 1: no site has measured 'dice'") == true)
    #expect(error?.message.contains("4 answered without it, 1 not at all") == true)
  }

  @Test func aModelThatComputesNoNumbersIsNotTheBest() async throws {
    let diverging = Doing { task, site in
      guard task.name == .evaluate else { return try await Self.executor.body(task, site) }
      let value = try #require(task.model["weight"]).flattened().slice(at: 0).item()
      return .metrics(["loss": value > 1 ? .nan : value, "accuracy": 0.5], samples: 10)
    }
    let workflow = try BestModel(of: FedAvg(rounds: 3), by: "loss", goal: .lowest)
    let run = try await Simulation(workflow: workflow).run(diverging)
    #expect(try Self.value(run.state) == 1)
    let results = try run.state.document(BestModel.document, as: [BestModel.Result].self)
    #expect(results?.first?.values == [1, nil, nil])
  }

  @Test func settingsThatMakeNoSenseAreRefused() throws {
    #expect(throws: FederationError.self) { try BestModel(of: GlobalModelEvaluation()) }
    #expect(throws: FederationError.self) { try BestModel(of: FedAvg(rounds: 1), patience: 0) }
    let best = try BestModel(of: FedAvg(rounds: 1))
    #expect(throws: FederationError.self) { try BestModel(of: best) }
    #expect(throws: FederationError.self) { try BestModel(of: WorkflowChain([best])) }
  }

  @Test func theTargetEndsTheTrainingOfAChainAndNotWhatFollows() async throws {
    let workflow = try WorkflowChain([
      FedAvg(rounds: 50), GlobalModelEvaluation(), CrossSiteEvaluation(),
    ])
    var federation = Simulation(workflow: workflow).federation(Self.executor)
    federation.targetAccuracy = 0.5
    federation.evaluate = { exchange in
      let value = try #require(exchange.tensors["weight"]).flattened().slice(at: 0).item()
      return Evaluation(accuracy: value / 4, loss: 0)
    }
    let outcome = try await federation.run(from: WorkflowState(model: model([0, 0])))
    #expect(outcome.state.round == 4)
    #expect(outcome.reason == .workflowDone)
    #expect(try Self.value(outcome.state) == 2)
    #expect(outcome.state.documents[GlobalModelEvaluation.document] != nil)
    #expect(outcome.state.documents[CrossSiteMatrix.document] != nil)
  }
}

@Suite struct ClaimedReachTests {
  /// Five sites agree on a direction; the last says that it goes much further.
  private static func run(
    _ rule: any AggregationRule,
    claim: Double
  ) async throws -> (
    value: Double, refusals: [Refusal]
  ) {
    let executor = Doing { task, site in
      var answer = Exchange.difference(try task.model.mapTensors { try $1 * 0 - 1 }, samples: 10)
      answer.metrics[FedNova.reachMetric] = site.site.index == 4 ? claim : 0.5
      return answer
    }
    let run = try await Simulation(workflow: FedNova(rounds: 1, rule: rule)).run(executor)
    return (
      try #require(run.state.model["weight"]).flattened().slice(at: 0).item(),
      run.rounds[0].refusals
    )
  }

  @Test func aReachThatCannotBeIsRefused() async throws {
    for claim in [1e300, 2e6, .infinity, .nan, 0, -1] {
      let run = try await Self.run(WeightedMean(), claim: claim)
      #expect(run.value == -0.5)
      #expect(run.refusals.map(\.site) == ["site-5"])
    }
  }

  @Test func underARobustRuleOneSiteDoesNotDecideHowFarToGo() async throws {
    #expect(try await Self.run(CoordinateMedian(), claim: 1e5).value == -0.5)
    #expect(try await Self.run(WeightedMean(), claim: 1e5).value < -1000)
  }
}
