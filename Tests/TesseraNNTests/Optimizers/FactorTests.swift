import TesseraCore
import TesseraNN
import TesseraTesting
import Testing

@Suite struct FactorTests {
  private func start(_ seed: UInt64) throws -> Parameter {
    try Parameter(Tensor.normal([3, 4], using: Generator(seed: seed)))
  }

  private func gradient(_ step: Int, _ seed: UInt64) throws -> Tensor {
    try Tensor.normal([3, 4], using: Generator(key: RandomKey(seed: seed)[step]))
  }

  @Test(arguments: OptimizerCase.all)
  func theFactorOfTheRateIsForItsParameterAlone(_ optimizer: OptimizerCase) throws {
    let parameters = [try start(1), try start(2)]
    parameters[1].rateFactor = 0.25
    let together = try optimizer.make(parameters)

    let alone = [try start(1), try start(2)]
    let separate = try alone.map { try optimizer.make([$0]) }
    separate[1].learningRate *= 0.25
    for step in 0..<4 {
      try together.apply([gradient(step, 1), gradient(step, 2)])
      try separate[0].apply([gradient(step, 1)])
      try separate[1].apply([gradient(step, 2)])
    }
    for (a, b) in zip(parameters, alone) { expectClose(a.value, try b.value.detached()) }
  }

  /// Optimisers with the given decay.
  static let decaying: [@Sendable ([Parameter], Double) throws -> any Optimizer] = [
    { try SGD($0, learningRate: 0.1, momentum: 0.9, weightDecay: $1) },
    { try Adam($0, learningRate: 0.1, weightDecay: $1) },
    { try AdamW($0, learningRate: 0.1, weightDecay: $1) },
    { try LAMB($0, learningRate: 0.1, weightDecay: $1) },
    { try NovoGrad($0, learningRate: 0.1, weightDecay: $1) },
  ]

  @Test(arguments: decaying.indices)
  func aParameterCanBeTakenOutOfTheDecay(_ index: Int) throws {
    let make = Self.decaying[index]
    let parameters = [try start(1), try start(2)]
    parameters[1].decayFactor = 0
    let together = try make(parameters, 0.2)

    let alone = [try start(1), try start(2)]
    let separate = [try make([alone[0]], 0.2), try make([alone[1]], 0)]
    for step in 0..<3 {
      try together.apply([gradient(step, 1), gradient(step, 2)])
      try separate[0].apply([gradient(step, 1)])
      try separate[1].apply([gradient(step, 2)])
    }
    for (a, b) in zip(parameters, alone) { expectClose(a.value, try b.value.detached()) }
  }

  @Test(arguments: OptimizerCase.all)
  func aParameterThatThawsBeginsWithItsOwnFirstStep(_ optimizer: OptimizerCase) throws {
    let parameters = [try start(1), try start(2)]
    let made = try optimizer.make(parameters)
    try parameters[1].setTrained(false)
    for step in 0..<3 { try made.apply([gradient(step, 1), gradient(step, 2)]) }
    try parameters[1].setTrained(true)
    let fresh = try start(2)
    let other = try optimizer.make([fresh])
    for step in 3..<5 {
      try made.apply([gradient(step, 1), gradient(step, 2)])
      try other.apply([gradient(step, 2)])
    }
    expectClose(parameters[1].value, try fresh.value.detached())
  }

  @Test(arguments: OptimizerCase.all)
  func aStepThatFailsDoesNotCount(_ optimizer: OptimizerCase) throws {
    let model = try Linear(3, 4, using: Generator(seed: 1))
    let made = try optimizer.make(model.parameters)
    try made.apply([Tensor.ones([4, 3]), Tensor.ones([4])])
    let before = try made.state()
    // Plain descent keeps nothing that could misfit.
    guard before.names.count > 1 else { return }
    // The moments are of another dtype than the parameters from here on.
    try model.convert(to: .float64)
    #expect(throws: TensorError.self) {
      try made.apply([Tensor.ones([4, 3], dtype: .float64), Tensor.ones([4], dtype: .float64)])
    }
    #expect(try made.state().isIdentical(to: before))
  }

  @Test(arguments: OptimizerCase.all)
  func theStateOfAnotherOptimizerIsRefused(_ optimizer: OptimizerCase) throws {
    let made = try optimizer.make([start(1)])
    for other in OptimizerCase.all
    where other.name.prefix(while: { $0 != "." }) != optimizer.name.prefix(while: { $0 != "." }) {
      let state = try other.make([start(1)]).state()
      #expect(throws: TensorError.self) { try made.load(state) }
    }
    let extra = try ModelState(
      made.state().entries + [(name: "other", tensor: try Tensor.zeros([1]))]
    )
    #expect(throws: TensorError.self) { try made.load(extra) }
  }

  @Test(arguments: OptimizerCase.all)
  func numbersOfStepsThatCannotBeAreRefused(_ optimizer: OptimizerCase) throws {
    let made = try optimizer.make([start(1)])
    for steps in [Int.max, -1, .min, 1 << 53] {
      let state = try made.state().mapTensors { name, tensor in
        name.hasSuffix("steps") ? try Tensor([steps]) : tensor
      }
      #expect(throws: TensorError.self) { try made.load(state) }
    }
    let real = try made.state().mapTensors { name, tensor in
      name.hasSuffix("steps") ? try Tensor([1.5]) : tensor
    }
    #expect(throws: TensorError.self) { try made.load(real) }
    try made.apply([gradient(0, 1)])
  }

  @Test func aRefusedStepChangesNoParameter() throws {
    let generator = try Generator(seed: 3)
    let conv = try Conv2d(2, 3, kernel: 3, using: generator)
    let bias = try #require(conv.bias)
    bias.decayFactor = 0
    let optimizer = try AdamW([bias, conv.weight], learningRate: 0.1, weightDecay: 0.1)
    // The weight no longer lies in memory as its moments do; the bias, which comes first, is as it was.
    try conv.useChannelsLast()
    let before = try conv.state()
    let gradients = try [Tensor.ones([3]), Tensor.ones([3, 2, 3, 3])]
    #expect(throws: TensorError.self) { try optimizer.apply(gradients) }
    #expect(try conv.state().isIdentical(to: before))
  }
}
