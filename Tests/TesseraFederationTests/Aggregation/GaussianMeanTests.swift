import Foundation
import TesseraCore
import TesseraFederation
import Testing

@Suite struct GaussianMeanTests {
  private static let sites = (0..<4).map {
    Site(index: $0, name: "site-\($0 + 1)", exampleCount: 10 * ($0 + 1))
  }

  private static let five = Simulation(workflow: InitialWeights()).sites

  private static func aggregation(
    _ rule: GaussianMean,
    _ model: ModelState,
    seed: UInt64 = 1
  ) throws -> any Aggregation {
    try rule.begin(
      AggregationRound(
        reference: model,
        sites: sites,
        secrets: .reproducible(RandomKey(seed: seed))
      )
    )
  }

  @Test func updatesAreClippedAndCountTheSame() throws {
    let model = try Sample.state(
      ("a", Tensor.ones([2])),
      ("b", Tensor.ones([1])),
      ("steps", Tensor([5]))
    )
    var mean = try Self.aggregation(.gaussianMean(clipNorm: 1, noiseMultiplier: 1e-9), model)
    // By [3, 0, 4], of norm 5, and by [0, 0.5, 0].
    let far = try Sample.state(
      ("a", Tensor([4, 1] as [Float])),
      ("b", Tensor([5] as [Float])),
      ("steps", Tensor([9]))
    )
    let near = try Sample.state(
      ("a", Tensor([0, 0.5] as [Float])),
      ("b", Tensor([0] as [Float])),
      ("steps", Tensor([0]))
    )
    #expect(try mean.fold(.weights(far, samples: 10), from: Self.sites[0]) == 1)
    #expect(try mean.fold(.difference(near, samples: 40), from: Self.sites[3]) == 1)
    let result = try mean.result()
    let expected: [String: [Float]] = ["a": [1.3, 1.25], "b": [1.4]]
    for (name, values) in expected {
      for (value, right) in zip(try result[name].array(of: Float.self), values) {
        #expect(abs(value - right) < 1e-6)
      }
    }
    #expect(try result["steps"].itemAsInteger() == 5)
  }

  @Test func theNoiseIsThatOfTheSumOverTheNumberOfUpdates() throws {
    let model = try Sample.state(("a", Tensor.zeros([100_000])), ("b", Tensor.zeros([100_000])))
    func noise(seed: UInt64) throws -> Exchange {
      var mean = try Self.aggregation(
        .gaussianMean(clipNorm: 3, noiseMultiplier: 2),
        model,
        seed: seed
      )
      for site in Self.sites { _ = try mean.fold(.weights(model), from: site) }
      return try mean.result()
    }
    let one = try noise(seed: 1)
    for name in ["a", "b"] {
      let deviation = try one[name].squared().mean().item().squareRoot()
      #expect(abs(deviation / 1.5 - 1) < 0.01)
    }
    #expect(abs(try (one["a"] * one["b"]).mean().item()) < 2.25 * 0.015)
    #expect(try noise(seed: 1).tensors.isIdentical(to: one.tensors))
    #expect(try !noise(seed: 2).tensors.isIdentical(to: one.tensors))
  }

  @Test func anUpdateThatLeavesSomethingOutIsRefused() throws {
    let model = try Sample.state(("a", Tensor.zeros([2])), ("b", Tensor.zeros([2])))
    var mean = try Self.aggregation(.gaussianMean(clipNorm: 1, noiseMultiplier: 1), model)
    var part = Exchange.weights(try Sample.state(("a", Tensor.zeros([2]))))
    part.metadata.excluded = ["b"]
    expectRefusal(naming: "site-2", "'b'") { _ = try mean.fold(part, from: Self.sites[1]) }
    expectRefusal(.tooFewSites) { _ = try mean.result() }
    expectRefusal(.invalidConfiguration, naming: "gaussian-mean") {
      _ = try GaussianMean(clipNorm: 1, noiseMultiplier: 1)
        .begin(AggregationRound(reference: model, sites: Self.sites))
    }
    for bad in [0, -1, .nan, .infinity] {
      #expect(throws: FederationError.self) { try GaussianMean(clipNorm: bad, noiseMultiplier: 1) }
      #expect(throws: FederationError.self) { try GaussianMean(clipNorm: 1, noiseMultiplier: bad) }
    }
  }

  @Test func theRoundThatWouldOverspendDoesNotBegin() async throws {
    var cost = RDPAccountant()
    try cost.compose(.gaussian(noiseMultiplier: 2), count: 3)
    let budget = try PrivacyBudget(epsilon: cost.epsilon(delta: 1e-5), delta: 1e-5)
    let workflow = try FedAvg(
      rounds: 5,
      rule: .gaussianMean(clipNorm: 1, noiseMultiplier: 2)
    )
    let start = WorkflowState(model: try Sample.state(("a", Tensor.zeros([50]))))
    let echo = Doing { task, _ in .weights(task.model) }
    func run(
      from state: WorkflowState,
      lanes: Int
    ) async -> (states: [WorkflowState], error: (any Error)?) {
      var states: [WorkflowState] = []
      do {
        var federation = Simulation(workflow: workflow, lanes: lanes).federation(echo)
        federation.budget = budget
        federation.secrets = .reproducible(RandomKey(seed: 6))
        _ = try await federation.run(from: state) { states.append($0.state) }
        return (states, nil)
      } catch {
        return (states, error)
      }
    }
    let (states, error) = await run(from: start, lanes: 1)
    #expect(states.count == 3)
    let refusal = try #require(error as? FederationError)
    #expect(refusal.code == .budgetExhausted)
    #expect(refusal.message.contains("round 4"))
    #expect(refusal.message.contains("allowed \(budget.epsilon)"))
    let last = try #require(states.last)
    #expect(try last.privacyLedger()?.spent() == budget.epsilon)
    // From the second round on, on other lanes: it is repeated, and counted once.
    let rest = await run(from: states[0], lanes: 3)
    #expect(rest.states.count == 2)
    #expect(rest.states.last?.documents == last.documents)
    #expect(try rest.states.last?.model.isIdentical(to: last.model) == true)
  }

  @Test func noSiteCanComputeTheNoise() async throws {
    let start = WorkflowState(model: try Sample.state(("a", Tensor.zeros([50]))))
    let workflow = try FedAvg(rounds: 1, rule: .gaussianMean(clipNorm: 1, noiseMultiplier: 1))
    let echo = Doing { task, _ in .weights(task.model) }
    func model(_ secrets: SecretSource) async throws -> ModelState {
      var federation = Simulation(workflow: workflow).federation(echo)
      federation.secrets = secrets
      return try await federation.run(from: start).state.model
    }
    // All runs have one key, which the sites have too.
    let kept = SecretSource.held(HeldSecret())
    let first = try await model(kept)
    #expect(try await model(kept).isIdentical(to: first))
    #expect(try await !model(.held(HeldSecret())).isIdentical(to: first))
    #expect(try await !model(.system).isIdentical(to: model(.system)))
  }

  @Test func aJobWithABudgetPassesNothingOnWithoutNoise() async throws {
    let start = WorkflowState(model: try Sample.state(("a", Tensor.zeros([5]))))
    let echo = Doing { task, _ in .weights(task.model, metrics: ["accuracy": 0.5]) }
    func message(_ workflow: any Workflow) async throws -> String {
      var federation = Simulation(workflow: workflow).federation(echo)
      federation.budget = try PrivacyBudget(epsilon: 100, delta: 1e-5)
      let error = await #expect(throws: FederationError.self) {
        _ = try await federation.run(from: start)
      }
      #expect(error?.code == .invalidConfiguration)
      return error?.message ?? ""
    }
    #expect(try await message(FedAvg(rounds: 1)).contains("'WeightedMean'"))
    for workflow in [
      try CyclicTransfer(rounds: 1) as any Workflow, try Swarm(rounds: 1), CrossSiteEvaluation(),
      GlobalModelEvaluation(), try FedBuff(rounds: 1, concurrency: 2),
    ] {
      #expect(try await message(workflow).contains("the job has a privacy budget"))
    }
    // A first model comes from no data, and the rest is charged.
    let chain = try WorkflowChain([
      InitialWeights(), FedAvg(rounds: 2, rule: .gaussianMean(clipNorm: 1, noiseMultiplier: 4)),
    ])
    var federation = Simulation(workflow: chain).federation(echo)
    federation.budget = try PrivacyBudget(epsilon: 100, delta: 1e-5)
    let ledger = try await federation.run(from: start).state.privacyLedger()
    #expect(
      ledger?.entries.flatMap(\.events)
        == [
          PrivacyEvent(.gaussian(noiseMultiplier: 4)), PrivacyEvent(.gaussian(noiseMultiplier: 4)),
        ]
    )
    #expect(
      try chain.plannedEvents(for: .empty, sites: Self.five, quorum: Quorum())
        == [PrivacyEvent(.gaussian(noiseMultiplier: 4), count: 2)]
    )
    expectRefusal(.invalidConfiguration, naming: "CyclicTransfer") {
      _ = try WorkflowChain([CyclicTransfer(rounds: 1)]).plannedEvents(
        for: .empty,
        sites: Self.five,
        quorum: Quorum()
      )
    }
  }

  @Test func whoIsDrawnInSecretIsCreditedAndItsNumberDoesNotShow() async throws {
    let mean = try GaussianMean(clipNorm: 1, noiseMultiplier: 2)
    let planned = try [SiteDraw.Method.fixed, .poisson, .withoutReplacement].map { method in
      var workflow = try FedAvg(rounds: 3, fraction: 0.4, rule: mean)
      workflow.sampling = method
      return try workflow.plannedEvents(for: .empty, sites: Self.five, quorum: Quorum())
    }
    #expect(planned[0] == [PrivacyEvent(.gaussian(noiseMultiplier: 2), count: 3)])
    #expect(
      planned[1]
        == [PrivacyEvent(.subsampledGaussian(noiseMultiplier: 2, samplingRate: 0.4), count: 3)]
    )
    #expect(
      planned[2]
        == [
          PrivacyEvent(.gaussianWithoutReplacement(noiseMultiplier: 1, samplingRate: 0.4), count: 3)
        ]
    )

    let start = WorkflowState(model: try Sample.state(("a", Tensor.zeros([1]))))
    var workflow = try FedAvg(
      rounds: 60,
      fraction: 0.3,
      rule: .gaussianMean(clipNorm: 1, noiseMultiplier: 1e-9)
    )
    workflow.sampling = .poisson
    var federation = Simulation(workflow: workflow).federation(
      Doing { task, _ in .weights(try task.model.mapTensors { try $1 + 1 }) }
    )
    federation.secrets = .reproducible(RandomKey(seed: 2))
    federation.quorum = Quorum(minimum: 2, mandatory: ["site-3"])
    var steps: [(sites: Int, step: Double)] = []
    var last = 0.0
    _ = try await federation.run(from: start) { round in
      let value = try #require(round.model["a"]).item()
      steps.append((round.contributions.count, value - last))
      last = value
    }
    // Each update moves the model by 1 over the expected number of sites, however many were drawn, and be it none.
    for (sites, step) in steps { #expect(abs(step - Double(sites) / 1.5) < 1e-4) }
    #expect(Set(steps.map(\.sites)).isSuperset(of: [0, 1, 2]))
    let mean5 = Double(steps.map(\.sites).reduce(0, +)) / 60
    // 1.5 of 5, with a standard error of 0.13.
    #expect(abs(mean5 - 1.5) < 0.5)
  }

  private static func adapted(_ round: RoundResult) throws -> FedAvg.AdaptedClipping {
    try #require(
      try round.state.document(FedAvg.clippingDocument, as: FedAvg.AdaptedClipping.self)
    )
  }

  @Test func theShareThatTheNormFollowsIsThatOfTheSitesThatAnswered() async throws {
    let start = WorkflowState(model: try Sample.state(("a", Tensor.zeros([1]))))
    let workflow = try FedAvg(
      rounds: 1,
      rule: .gaussianMean(
        clipNorm: 1,
        noiseMultiplier: 1e-6,
        adaptive: .init(targetQuantile: 0.5, learningRate: 0.2, countDeviation: 1e-5)
      )
    )
    var simulation = Simulation(workflow: workflow)
    simulation.quorum = Quorum(minimum: 1)
    let round = try await simulation.run(
      Doing { task, _ in
        guard task.site.index > 1 else { throw Broken() }
        return .weights(task.model)
      },
      from: start
    ).rounds[0]
    #expect(round.contributions.count == 3)
    // All of them were within the norm: by the five that were asked it would be 0.8 of them.
    #expect(abs(try Self.adapted(round).bound - exp(-0.2 * 0.5)) < 1e-4)
  }

  @Test func aWorkflowOfAChainBeginsWithItsOwnNorm() async throws {
    func workflow(_ norm: Double) throws -> FedAvg {
      try FedAvg(
        rounds: 2,
        rule: .gaussianMean(clipNorm: norm, noiseMultiplier: 0.01, adaptive: .init())
      )
    }
    let chain = try WorkflowChain([workflow(1), workflow(100)])
    let start = WorkflowState(model: try Sample.state(("a", Tensor.zeros([1]))))
    let rounds = try await Simulation(workflow: chain).run(
      Doing { task, _ in .weights(task.model) },
      from: start
    ).rounds
    let clipping = try rounds.map(Self.adapted)
    #expect(clipping.map(\.start) == [1, 1, 100, 100])
    // Nothing moves, so each round shortens the norm by a tenth or so.
    #expect(clipping[1].bound < clipping[0].bound && clipping[0].bound < 1)
    #expect(clipping[2].bound > 80 && clipping[3].bound < clipping[2].bound)
  }

  @Test func clippingThatWouldNeverAdaptIsRefused() throws {
    let rule = try GaussianMean(clipNorm: 1, noiseMultiplier: 1, adaptive: .init())
    expectRefusal(.invalidConfiguration, naming: "'scaffold'", "'clip: adaptive'") {
      _ = try Scaffold(rounds: 1, rule: rule)
    }
    expectRefusal(.invalidConfiguration, naming: "'fednova'", "'clip: adaptive'") {
      _ = try FedNova(rounds: 1, rule: rule)
    }
    _ = try Scaffold(rounds: 1, rule: .gaussianMean(clipNorm: 1, noiseMultiplier: 1))
  }

  @Test(arguments: SiteDraw.Method.allCases)
  func howManyUpdatesThereWereIsNotSentToTheSites(_ method: SiteDraw.Method) async throws {
    var workflow = try FedAvg(
      rounds: 4,
      fraction: 0.6,
      rule: .gaussianMean(clipNorm: 1, noiseMultiplier: 1)
    )
    workflow.sampling = method
    let sent = Told<Exchange.Metadata>()
    let start = WorkflowState(model: try Sample.state(("a", Tensor.zeros([5]))))
    var federation = Simulation(workflow: workflow).federation(
      Doing { task, _ in
        sent.add(task.data.metadata)
        return .weights(task.model, samples: 10)
      }
    )
    federation.secrets = .reproducible(RandomKey(seed: 8))
    _ = try await federation.run(from: start) { round in
      #expect(round.state.global.metadata == Exchange.Metadata())
    }
    #expect(sent.all.count > 3)
    for metadata in sent.all { #expect(metadata.weight == nil && metadata.samples == nil) }
  }

  @Test(arguments: [DType.float16, .bfloat16])
  func theNoiseIsAddedBeforeAnythingIsRounded(_ dtype: DType) throws {
    // In both types the model's neighbours are more than 1 away.
    let model = try Sample.state(("a", Tensor.full(2048, shape: [40_000]).to(dtype)))
    let step = try Sample.state(("a", Tensor.full(0.875, shape: [40_000]).to(dtype)))
    let deviation = 16.0
    let norm = 0.875 * 200
    var mean = try Self.aggregation(
      .gaussianMean(clipNorm: norm, noiseMultiplier: deviation / norm),
      model
    )
    _ = try mean.fold(.difference(step, samples: 10), from: Self.sites[0])
    let result = try mean.result()
    #expect(try result["a"].dtype == dtype)
    let moved = try (result["a"].to(.float64) - 2048).mean().item()
    // A mean that was rounded first has not moved at all; the standard error is 0.08.
    #expect(abs(moved - 0.875) < 0.4, "\(moved)")
  }

  @Test func aSecretDrawIsForOneGathering() async throws {
    let rule = try GaussianMean(clipNorm: 1, noiseMultiplier: 4)
    let sites = (0..<40).map { Site(index: $0, name: "site-\($0 + 1)", exampleCount: 10) }
    let drawn = Told<[Int]>()
    let kept = Told<SiteDraw>()
    let script = Script(rounds: 2) { state, controller in
      for method in [SiteDraw.Method.poisson, .withoutReplacement] {
        let draws = (1...2).map { _ in controller.draw(0.5, by: method) }
        for draw in draws { drawn.add(draw.sites.map(\.index)) }
        guard method == .poisson else { continue }
        for draw in draws {
          _ = try await controller.gather(.train, state.global, from: draw, by: rule)
        }
        for old in draws + kept.all + [SiteDraw(sites, by: method, rate: 0.5, population: 40)] {
          let error = await #expect(throws: FederationError.self) {
            _ = try await controller.gather(.train, state.global, from: old, by: rule)
          }
          #expect(error?.code == .invalidConfiguration)
          #expect(error?.message.contains("'poisson' is for one gathering") == true)
        }
        kept.add(controller.draw(0.5, by: method))
      }
    }
    let start = WorkflowState(model: try Sample.state(("a", Tensor.zeros([5]))))
    var federation = Simulation(workflow: script, sites: sites).federation(
      Doing { task, _ in .weights(task.model) }
    )
    federation.budget = try PrivacyBudget(epsilon: 100, delta: 1e-5)
    federation.secrets = .reproducible(RandomKey(seed: 9))
    let ledger = try await federation.run(from: start).state.privacyLedger()
    #expect(drawn.all.count == 8 && Set(drawn.all).count == 8)
    // What was refused was not charged.
    #expect(ledger?.entries.count == 4)
  }

  @Test func drawsForDifferentNeighboursAreNotCountedTogether() async throws {
    func workflow(_ method: SiteDraw.Method) throws -> FedAvg {
      var workflow = try FedAvg(
        rounds: 1,
        fraction: 0.4,
        rule: .gaussianMean(clipNorm: 1, noiseMultiplier: 4)
      )
      workflow.sampling = method
      return workflow
    }
    let start = WorkflowState(model: try Sample.state(("a", Tensor.zeros([5]))))
    for methods in [
      [SiteDraw.Method.fixed, .withoutReplacement], [.withoutReplacement, .fixed],
      [.poisson, .withoutReplacement],
    ] {
      let chain = try WorkflowChain(methods.map(workflow))
      let budget = try PrivacyBudget(epsilon: 100, delta: 1e-5)
      expectRefusal(.invalidConfiguration, naming: "cannot be composed") {
        _ = try budget.epsilon(
          of: chain.plannedEvents(for: start.model, sites: Self.five, quorum: Quorum())
        )
      }
      var federation = Simulation(workflow: chain).federation(
        Doing { task, _ in .weights(task.model) }
      )
      federation.budget = budget
      let rounds = Told<Int>()
      let error = await #expect(throws: FederationError.self) {
        _ = try await federation.run(from: start) { rounds.add($0.round) }
      }
      #expect(error?.code == .invalidConfiguration)
      #expect(rounds.all == [1])
    }
  }

  @Test func secretDrawsAreForAggregatesThatTheServerMakesPrivate() async throws {
    var plain = try FedAvg(rounds: 1, fraction: 0.4)
    plain.sampling = .poisson
    var masked = try FedAvg(rounds: 1, fraction: 0.6)
    masked.sampling = .withoutReplacement
    masked.secure = SecureAggregation()
    for (workflow, reason) in [(plain, "WeightedMean makes nothing"), (masked, "'secure_aggreg")] {
      let error = await #expect(throws: FederationError.self) {
        _ = try await Simulation(workflow: workflow).run(
          Doing { task, _ in .weights(task.model) }
        )
      }
      #expect(error?.code == .invalidConfiguration)
      #expect(error?.message.contains("'sampling: \(workflow.sampling.rawValue)'") == true)
      #expect(error?.message.contains(reason) == true)
    }
  }

  @Test func theNormFollowsAQuantileOfTheUpdates() async throws {
    // Norms of 1 to 5: the median is 3.
    let start = WorkflowState(model: try Sample.state(("a", Tensor.zeros([1]))))
    let walk = Doing { task, _ in
      let length = Double(task.site.index + 1)
      return .weights(try task.model.mapTensors { try $1 + length })
    }
    let workflow = try FedAvg(
      rounds: 120,
      rule: .gaussianMean(
        clipNorm: 0.1,
        noiseMultiplier: 0.01,
        adaptive: .init(countDeviation: 0.02)
      )
    )
    var federation = Simulation(workflow: workflow).federation(walk)
    federation.budget = try PrivacyBudget(epsilon: 1e9, delta: 1e-5)
    federation.secrets = .reproducible(RandomKey(seed: 3))
    var norms: [Double] = []
    let state = try await federation.run(from: start) { round in
      norms.append(try Self.adapted(round).bound)
      #expect(round.state.global.metrics.isEmpty)
    }.state
    #expect(norms[0] > 0.1 && norms[0] < 0.12)
    for norm in norms.suffix(20) { #expect(norm > 1.9 && norm < 3.5, "\(norm)") }
    // Both kinds of noise together cost one Gaussian.
    #expect(
      try state.privacyLedger()?.entries.first?.events
        == [PrivacyEvent(.gaussian(noiseMultiplier: 0.01))]
    )
    expectRefusal(.invalidConfiguration, naming: "above half the noise multiplier") {
      _ = try GaussianMean(
        clipNorm: 1,
        noiseMultiplier: 4,
        adaptive: .init(countDeviation: 1)
      )
    }
  }
}
