import TesseraCore
import TesseraNN
import TesseraTesting
import Testing

/// An optimiser with the settings of its golden case.
struct OptimizerCase: CustomTestStringConvertible, Sendable {
  let name: String
  let make: @Sendable ([Parameter]) throws -> any Optimizer
  var testDescription: String { name }

  init(_ name: String, _ make: @escaping @Sendable ([Parameter]) throws -> any Optimizer) {
    self.name = name
    self.make = make
  }

  static let all = [
    OptimizerCase("sgd") { try SGD($0, learningRate: 0.1) },
    OptimizerCase("sgd.momentum") {
      try SGD($0, learningRate: 0.1, momentum: 0.9, dampening: 0.2)
    },
    OptimizerCase("sgd.nesterov") {
      try SGD($0, learningRate: 0.1, momentum: 0.8, isNesterov: true)
    },
    OptimizerCase("sgd.decay") {
      try SGD($0, learningRate: 0.1, momentum: 0.9, weightDecay: 0.1)
    },
    OptimizerCase("adam") { try Adam($0, learningRate: 0.05) },
    OptimizerCase("adam.decay") {
      try Adam(
        $0,
        learningRate: 0.05,
        betas: (mean: 0.8, square: 0.95),
        epsilon: 1e-4,
        weightDecay: 0.1
      )
    },
    OptimizerCase("adamw") { try AdamW($0, learningRate: 0.05, weightDecay: 0.2) },
    OptimizerCase("lamb") {
      try LAMB(
        $0,
        learningRate: 0.02,
        betas: (mean: 0.9, square: 0.99),
        epsilon: 1e-6,
        weightDecay: 0.05
      )
    },
    OptimizerCase("novograd") {
      try NovoGrad(
        $0,
        learningRate: 0.02,
        betas: (mean: 0.95, square: 0.98),
        epsilon: 1e-8,
        weightDecay: 0.01
      )
    },
  ]
}

@Suite struct OptimizerTests {
  private let golden: Golden

  init() throws { golden = try Golden("optimizers") }

  private func start() throws -> [Parameter] {
    try (0..<2).map { try Parameter(golden("start/\($0)")) }
  }

  private func gradients(at step: Int) throws -> [Tensor] {
    try (0..<2).map { try golden("gradient/\(step).\($0)") }
  }

  @Test(arguments: OptimizerCase.all)
  func everyOptimizerAgreesWithItsReference(_ optimizer: OptimizerCase) throws {
    let parameters = try start()
    let made = try optimizer.make(parameters)
    for step in 0..<5 {
      try made.apply(gradients(at: step))
      for (index, parameter) in parameters.enumerated() {
        expectClose(
          parameter.value,
          try golden("\(optimizer.name)/\(step).\(index)"),
          "step \(step)"
        )
      }
    }
  }

  @Test(arguments: OptimizerCase.all)
  func anOptimizerGoesOnFromItsState(_ optimizer: OptimizerCase) throws {
    let parameters = try start()
    let first = try optimizer.make(parameters)
    for step in 0..<3 { try first.apply(gradients(at: step)) }

    let copies = try parameters.map { try Parameter($0.value) }
    let second = try optimizer.make(copies)
    try second.load(first.state())
    for step in 3..<5 {
      try first.apply(gradients(at: step))
      try second.apply(gradients(at: step))
    }
    for (a, b) in zip(parameters, copies) { #expect(try a.value.isIdentical(to: b.value)) }
    #expect(try first.state().isIdentical(to: second.state()))
  }

  @Test(arguments: OptimizerCase.all)
  func layoutsInMemoryDoNotMatter(_ optimizer: OptimizerCase) throws {
    let value = try Tensor.normal([2, 3, 4, 5], using: Generator(seed: 1))
    let gradient = try Tensor.normal([2, 3, 4, 5], using: Generator(seed: 2))
    let layouts: [(Tensor) throws -> Tensor] = [
      { try $0.laidOut(as: .rowMajor) },
      { try $0.laidOut(as: .channelsLast) },
      { try $0.transposed(0, 3).laidOut(as: .rowMajor).transposed(0, 3) },
    ]
    var results: [Tensor] = []
    for parameterLayout in layouts {
      for gradientLayout in layouts {
        let parameter = try Parameter(parameterLayout(value))
        let made = try optimizer.make([parameter])
        for step in 1...3 {
          try made.apply([gradientLayout(gradient * Double(step))])
          // A checkpoint from a file is row-major, whatever the parameter is.
          let state = try made.state().mapTensors { try $1.laidOut(as: .rowMajor) }
          try made.load(state)
        }
        results.append(parameter.value)
      }
    }
    for result in results { expectClose(result, results[0]) }
  }

  @Test(arguments: OptimizerCase.all)
  func gradientsWithoutMemoryOfTheirOwnAreRead(_ optimizer: OptimizerCase) throws {
    // The gradient of a sum is one number, expanded to the shape.
    let parameters = [try Parameter(Tensor.ones([40, 50]))]
    let expanded = try optimizer.make(parameters)
    try expanded.step(minimizing: parameters[0].value.sum())

    let others = [try Parameter(Tensor.ones([40, 50]))]
    try optimizer.make(others).apply([Tensor.ones([40, 50])])
    expectClose(parameters[0].value, others[0].value)
  }

  @Test(arguments: OptimizerCase.all)
  func frozenParametersStay(_ optimizer: OptimizerCase) throws {
    let parameters = try start()
    let made = try optimizer.make(parameters)
    try made.apply(gradients(at: 0))
    try parameters[0].setTrained(false)
    let before = try parameters.map { try $0.value.copied() }
    let loss = try parameters[0].value.sum() + parameters[1].value.squared().sum()
    try made.step(minimizing: loss)
    #expect(try parameters[0].value.isIdentical(to: before[0]))
    #expect(try !parameters[1].value.isIdentical(to: before[1]))
  }

  @Test(arguments: OptimizerCase.all)
  func gradientsThatDoNotFitChangeNothing(_ optimizer: OptimizerCase) throws {
    let parameters = try start()
    let made = try optimizer.make(parameters)
    let before = try (made.state(), parameters.map { try $0.value.copied() })
    for wrong in [
      [], [try Tensor.ones([3, 4])], [try Tensor.ones([4, 3]), try Tensor.ones([5])],
    ] {
      let error = #expect(throws: TensorError.self) { try made.apply(wrong) }
      #expect(error?.code == .shapeMismatch)
    }
    #expect(try made.state().isIdentical(to: before.0))
    for (parameter, value) in zip(parameters, before.1) {
      #expect(try parameter.value.isIdentical(to: value))
    }
  }

  @Test(arguments: OptimizerCase.all)
  func anOptimizerOfNothingDoesNothing(_ optimizer: OptimizerCase) throws {
    try optimizer.make([]).apply([])
  }

  @Test(arguments: OptimizerCase.all)
  func aStateOfAnotherModelIsRefused(_ optimizer: OptimizerCase) throws {
    let made = try optimizer.make(try start())
    try made.apply(gradients(at: 0))
    let before = try made.state()
    #expect(throws: TensorError.self) { try made.load(ModelState([])) }
    let wrong = try before.mapTensors { name, tensor in
      name.hasSuffix("steps") ? tensor : try Tensor.zeros([9, 9])
    }
    if before.names.count > 1 {
      #expect(throws: TensorError.self) { try made.load(wrong) }
    }
    #expect(try made.state().isIdentical(to: before))
  }

  @Test(arguments: OptimizerCase.all)
  func everyOptimizerFindsTheBottomOfABowl(_ optimizer: OptimizerCase) throws {
    let x = try Parameter(Tensor([3, -2] as [Float]))
    let made = try optimizer.make([x])
    made.learningRate = 0.02
    let first = try x.value.squared().sum().item()
    for _ in 0..<60 { try made.step(minimizing: x.value.squared().sum()) }
    #expect(try x.value.squared().sum().item() < first * 0.6)
  }

  @Test func clippingScalesAllGradientsTogether() throws {
    let (clipped, norm) = try gradients(at: 0).clipped(toNorm: 1.5)
    expectClose(try Tensor(Float(norm)), try golden("clipping/norm"))
    for (index, gradient) in clipped.enumerated() {
      expectClose(gradient, try golden("clipping/\(index)"))
    }
    #expect(try Swift.abs(clipped.totalNorm() - 1.5) < 1e-5)
  }

  @Test func gradientsUnderTheLimitAreLeftAlone() throws {
    let gradients = try gradients(at: 0)
    let (same, _) = try gradients.clipped(toNorm: 1e6)
    for (a, b) in zip(gradients, same) { #expect(try a.isIdentical(to: b)) }
    let none = try ([] as [Tensor]).clipped(toNorm: 1)
    #expect(none.gradients.isEmpty && none.norm == 0)
    expectClose(try [Tensor([-3.0, 0.5, 2])].clipped(toValue: 1)[0], [-1, 0.5, 1])
    for limit in [-1, Double.nan] {
      #expect(throws: TensorError.self) { try gradients.clipped(toNorm: limit) }
    }
  }
}
