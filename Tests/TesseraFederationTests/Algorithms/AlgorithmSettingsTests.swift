import TesseraCore
import TesseraFederation
import TesseraTesting
import Testing

@Suite struct AlgorithmSettingsTests {
  private func expectRefusal(
    of name: String,
    sourceLocation: SourceLocation = #_sourceLocation,
    _ make: () throws -> Any
  ) {
    let error = #expect(throws: FederationError.self, sourceLocation: sourceLocation) {
      _ = try make()
    }
    #expect(error?.code == .invalidConfiguration, sourceLocation: sourceLocation)
    #expect(error?.message.contains(name) == true, sourceLocation: sourceLocation)
  }

  @Test func settingsThatCannotBeAreRefusedByName() {
    for bad in [-0.1, .nan, .infinity] {
      expectRefusal(of: "'mu'") { try FedProx(mu: bad) }
      expectRefusal(of: "'lambda'") { try Ditto(lambda: bad) }
    }
    for bad in [0, -1, .nan, .infinity] {
      expectRefusal(of: "'learningRate'") { try ServerSGD(learningRate: bad) }
      expectRefusal(of: "'learningRate'") { try AdaptiveServerOptimizer(.sum, learningRate: bad) }
      expectRefusal(of: "'tau'") { try AdaptiveServerOptimizer(.sum, learningRate: 1, tau: bad) }
    }
    for bad in [1, -0.1, .nan] {
      expectRefusal(of: "'momentum'") { try ServerSGD(momentum: bad) }
      expectRefusal(of: "'beta1'") { try AdaptiveServerOptimizer.adam(learningRate: 1, beta1: bad) }
      expectRefusal(of: "'beta2'") { try AdaptiveServerOptimizer.adam(learningRate: 1, beta2: bad) }
      expectRefusal(of: "'beta2'") { try AdaptiveServerOptimizer.yogi(learningRate: 1, beta2: bad) }
    }
    expectRefusal(of: "names") { try FedBN(names: []) }
    expectRefusal(of: "round") { try Scaffold(rounds: 0) }
    expectRefusal(of: "round") { try FedNova(rounds: 0) }
    for bad in [0, 1.1, .nan] {
      expectRefusal(of: "fraction") { try Scaffold(rounds: 1, fraction: bad) }
      expectRefusal(of: "fraction") { try FedNova(rounds: 1, fraction: bad) }
    }
  }

  @Test func countsAndTruthValuesTakeTheAggregates() throws {
    let old = try ModelState([
      ("weight", Tensor([1.0, 2.0])), ("norm.running_var", Tensor([1.0])), ("count", Tensor([3])),
      ("mask", Tensor([true])),
    ])
    let new = try ModelState([
      ("weight", Tensor([2.0, 4.0])), ("norm.running_var", Tensor([5.0])), ("count", Tensor([7])),
      ("mask", Tensor([false])),
    ])
    var memory: [String: ModelState] = [:]
    let next = try ServerSGD(learningRate: 0.5).step(from: old, to: new, memory: &memory)
    #expect(try next["weight"]?.array(of: Double.self) == [1.5, 3])
    #expect(try next["norm.running_var"]?.array(of: Double.self) == [5])
    #expect(try next["count"]?.array(of: Int.self) == [7])
    #expect(try next["mask"]?.array(of: Bool.self) == [false])
    #expect(memory[ServerSGD.momentumName]?.names == ["weight"])
  }

  @Test func halfPrecisionIsMovedInSinglePrecision() throws {
    let old = try ModelState([("weight", Tensor.full(1, shape: [2], dtype: .bfloat16))])
    let new = try ModelState([("weight", Tensor.full(1.0078125, shape: [2], dtype: .bfloat16))])
    var memory: [String: ModelState] = [:]
    let next = try AdaptiveServerOptimizer.adam(learningRate: 0.01)
      .step(from: old, to: new, memory: &memory)
    #expect(next["weight"]?.dtype == .bfloat16)
    let mean = try #require(memory[AdaptiveServerOptimizer.meanName]?["weight"])
    #expect(mean.dtype == .float32)
    expectClose(mean, [0.00078125, 0.00078125], absolute: 1e-9)
  }

  @Test func theMemoryOfAnotherModelIsRefused() throws {
    let model = try ModelState([("weight", Tensor([1.0, 2.0]))])
    for other in [
      try ModelState([("weight", Tensor([1.0]))]), try ModelState([("bias", Tensor([1.0, 2.0]))]),
    ] {
      var memory = [ServerSGD.momentumName: other]
      let error = #expect(throws: FederationError.self) {
        try ServerSGD().step(from: model, to: model, memory: &memory)
      }
      #expect(error?.code == .cannotResume)
    }
  }

  @Test func anEncryptedAggregateIsNoneForAServerOptimizer() throws {
    let model = try ModelState([("weight", Tensor([1.0, 2.0]))])
    var state = WorkflowState(model: model)
    var aggregate = Exchange.weights(model)
    aggregate.metadata.processing = [
      .init("encrypted", tensors: ["weight"], bytesBefore: 16, bytesAfter: 16)
    ]
    try state.move(to: aggregate, by: nil)
    let error = #expect(throws: FederationError.self) {
      try state.move(to: aggregate, by: ServerSGD())
    }
    #expect(error?.code == .invalidConfiguration)
    #expect(error?.message.contains("'serverOptimizer'") == true)
    #expect(state.memory.isEmpty)
  }

  @Test func theReachOfStepsCountsMomentum() {
    var plain = LocalSteps()
    var heavy = LocalSteps(momentum: 0.5)
    for _ in 0..<3 {
      plain.add(rate: 0.1)
      heavy.add(rate: 0.1)
    }
    #expect(plain.count == 3)
    #expect(abs(plain.reach - 0.3) < 1e-15)
    // Gradients of 1 move by 0.1, 0.15 and 0.175.
    #expect(abs(heavy.reach - 0.425) < 1e-15)
  }
}
