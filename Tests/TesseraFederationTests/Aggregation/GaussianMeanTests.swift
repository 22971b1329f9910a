import TesseraCore
import TesseraFederation
import Testing

@Suite struct GaussianMeanTests {
  private static let sites = (0..<4).map {
    Site(index: $0, name: "site-\($0 + 1)", exampleCount: 10 * ($0 + 1))
  }

  private static func aggregation(
    _ rule: GaussianMean,
    _ model: ModelState,
    seed: UInt64 = 1
  ) throws -> any Aggregation {
    try rule.begin(AggregationRound(reference: model, sites: sites, key: RandomKey(seed: seed)))
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
    var workflow = try FedAvg(
      rounds: 5,
      rule: .gaussianMean(clipNorm: 1, noiseMultiplier: 2)
    )
    workflow.budget = budget
    let start = WorkflowState(model: try Sample.state(("a", Tensor.zeros([50]))))
    let echo = Doing { task, _ in .weights(task.model) }
    func run(
      from state: WorkflowState,
      lanes: Int
    ) async -> (states: [WorkflowState], error: (any Error)?) {
      var states: [WorkflowState] = []
      do {
        _ = try await Simulation(workflow: workflow, lanes: lanes).federation(echo)
          .run(from: state) { states.append($0.state) }
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
}
