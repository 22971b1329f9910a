import TesseraCore
import TesseraNN
import TesseraTesting
import Testing

private final class Mixed: Module {
  let first: Parameter
  let pair: (Parameter, Int)
  let gaps: [Parameter?]
  let nested: [[Parameter]]
  let missing: Parameter? = nil
  let numbers: [Float] = [1, 2, 3]
  let table: [String: Int] = ["a": 1]
  let name = "mixed"
  let table2: Buffer
  let children: [any Module]
  let again: Parameter

  init() throws {
    func make() throws -> Parameter { try Parameter(Tensor.zeros([2])) }
    first = try make()
    pair = (try make(), 3)
    gaps = [nil, try make()]
    nested = [[], [try make()]]
    table2 = try Buffer(Tensor.zeros([3]))
    children = [try Linear(2, 1, using: Generator(seed: 1)), try BatchNorm(2)]
    again = first
  }
}

private class Base: Module {
  let a: Parameter
  init() throws { a = try Parameter(Tensor.zeros([1])) }
}

private final class Derived: Base {
  let b: Parameter
  override init() throws {
    b = try Parameter(Tensor.zeros([1]))
    try super.init()
  }
}

private final class BareTensor: Module {
  let table: Tensor
  init() throws { table = try Tensor.zeros([1]) }
}

private final class Unordered: Module {
  let heads: [String: Linear]
  init() throws { heads = ["a": try Linear(1, 1, using: Generator(seed: 1))] }
}

@Suite struct ModuleTests {
  @Test func slotsAreFoundByTypeInTheOrderOfDeclaration() throws {
    let mixed = try Mixed()
    #expect(
      mixed.namedParameters.map(\.name) == [
        "first", "pair.0", "gaps.1", "nested.1.0", "children.0.weight", "children.0.bias",
        "children.1.weight", "children.1.bias",
      ]
    )
    #expect(
      mixed.namedBuffers.map(\.name) == [
        "table2", "children.1.runningMean", "children.1.runningVariance",
      ]
    )
    expectModuleLaws(mixed)
  }

  @Test func aSuperclassWasDeclaredFirst() throws {
    #expect(try Derived().namedParameters.map(\.name) == ["a", "b"])
  }

  @Test func aBareTensorStopsTheProgram() async {
    let result = await #expect(
      processExitsWith: .failure,
      observing: [\.standardErrorContent]
    ) {
      _ = try BareTensor().parameters
    }
    let message = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(message.contains("BareTensor.table is a bare Tensor"))
  }

  @Test func aDictionaryOfModulesStopsTheProgram() async {
    let result = await #expect(
      processExitsWith: .failure,
      observing: [\.standardErrorContent]
    ) {
      _ = try Unordered().parameters
    }
    let message = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(message.contains("Unordered.heads"))
  }

  @Test func aStateIsACopy() throws {
    let layer = try Linear(2, 2, using: Generator(seed: 1))
    let state = try layer.state()
    let before = try #require(state["weight"]).copied()
    try layer.weight.assign(Tensor.zeros([2, 2]))
    #expect(try #require(state["weight"]).isIdentical(to: before))
    #expect(state["weight"]?.requiresGradient == false)
  }

  @Test func aRefusedStateNamesWhatIsWrong() throws {
    let layer = try Linear(2, 3, using: Generator(seed: 1))
    let state = try layer.state()
    func message(_ entries: [(name: String, tensor: Tensor)]) -> String {
      #expect(throws: TensorError.self) { try layer.load(ModelState(entries)) }?.message ?? ""
    }
    #expect(message([state.entries[0]]).contains("'bias'"))
    let extra = state.entries + [(name: "other", tensor: try Tensor.zeros([1]))]
    #expect(message(extra).contains("'other'"))
    try layer.load(ModelState(extra), ignoringExtra: true)
    let wrong = message([(name: "weight", tensor: try Tensor.zeros([5, 2])), state.entries[1]])
    #expect(wrong.contains("'weight'") && wrong.contains("[5, 2]") && wrong.contains("[3, 2]"))
  }

  @Test func aModelConvertsToAnotherDType() throws {
    let norm = try Sequential(Linear(2, 2, using: Generator(seed: 1)), BatchNorm(2))
    try norm.parameters[0].setTrained(false)
    try norm.convert(to: .float64)
    #expect(norm.parameters.allSatisfy { $0.value.dtype == .float64 })
    #expect(norm.namedBuffers.allSatisfy { $0.buffer.value.dtype == .float64 })
    #expect(norm.parameters.map(\.isTrained) == [false, true, true, true])
    #expect(try norm(Tensor.ones([3, 2], dtype: .float64)).dtype == .float64)
    #expect(throws: TensorError.self) { try norm.convert(to: .int64) }
  }

  @Test func channelsLastChangesTheLayoutAndNotTheResult() throws {
    let layer = try Conv2d(3, 4, kernel: 3, using: Generator(seed: 1))
    let x = try Tensor.normal([2, 3, 6, 6], using: Generator(seed: 2))
    let y = try layer(x)
    try layer.useChannelsLast()
    #expect(layer.weight.value.isContiguous(as: .channelsLast))
    #expect(layer.weight.isTrained)
    expectClose(try layer(x.laidOut(as: .channelsLast)), y, absolute: 1e-5)
  }

  @Test func theModeReachesAllLayers() throws {
    let attention = try MultiHeadAttention(
      width: 4,
      heads: 2,
      dropout: 0.5,
      using: Generator(seed: 1)
    )
    attention.setMode(.evaluation)
    #expect(attention.mode == .evaluation && attention.dropout?.mode == .evaluation)
  }

  @Test func aFrozenParameterGetsZeros() throws {
    let layer = try Linear(2, 1, using: Generator(seed: 1))
    try layer.weight.setTrained(false)
    let gradients = try layer(Tensor.ones([3, 2])).sum().gradients(for: layer.parameters)
    expectClose(gradients[0], [0, 0])
    expectClose(gradients[1], [3])
  }

  @Test func aValueOfAnotherShapeIsRefused() throws {
    let parameter = try Parameter(Tensor.zeros([2, 3]))
    for shape in [[3], [3, 2], [1, 2, 3], []] {
      let error = #expect(throws: TensorError.self) { try parameter.assign(Tensor.ones(shape)) }
      #expect(error?.code == .shapeMismatch)
    }
    #expect(throws: TensorError.self) { try Parameter(Tensor([1, 2])) }
  }
}

@Suite struct KeyMapTests {
  @Test func rulesReplaceWholeComponentsWhereverTheyOccur() {
    let map = KeyMap(["downsample.0": "shortcut", "fc": "head", "downsample": "other"])
    #expect(map("layer1.downsample.0.weight") == "layer1.shortcut.weight")
    #expect(map("downsample.1") == "other.1")
    #expect(map("fc.weight") == "head.weight")
    #expect(map("fcx.weight") == "fcx.weight")
    #expect(map("fc.fc.weight") == "head.head.weight")
  }

  @Test func oneRuleDoesNotActOnWhatAnotherMade() {
    let map = KeyMap(["a": "b", "b": "a"])
    #expect(map("a.b.c") == "b.a.c")
  }

  @Test func aStateLoadsUnderOtherNames() throws {
    let layer = try Linear(1, 1, using: Generator(seed: 1))
    let state = try ModelState([
      (name: "fc.weight", tensor: try Tensor.zeros([1, 1])),
      (name: "fc.bias", tensor: try Tensor.ones([1])),
    ])
    let model = Sequential(layer)
    try model.load(state, mapping: KeyMap(["fc": "layers.0"]))
    expectClose(layer.bias?.value ?? layer.weight.value, [1])
    #expect(throws: TensorError.self) {
      try model.load(state, mapping: KeyMap(["weight": "w", "bias": "w"]))
    }
  }
}

@Suite struct NetworkTests {
  @Test func theImageClassifierGivesLogitsAndGradients() throws {
    let model = try ImageClassifier(size: 12, classes: 4, using: Generator(seed: 1))
    let logits = try model(Tensor.normal([2, 1, 12, 12], using: Generator(seed: 2)))
    #expect(logits.shape == [2, 4])
    let gradients = try crossEntropy(logits, Tensor([0, 3])).gradients(for: model.parameters)
    for gradient in gradients { #expect(try gradient.isFinite().all().item() == 1) }
    expectModuleLaws(model)
  }

  @Test func theResidualNetworkHasThePapersSize() throws {
    let model = try ResNet18(classes: 10, using: Generator(seed: 1))
    // torchvision's resnet18 has 11,689,512: a 7×7 stem instead of 3×3, and 1000 classes.
    #expect(model.parameterCount == 11_689_512 - 64 * 3 * (49 - 9) - 513 * 990)
    let small = try ResNet18(classes: 3, width: 8, using: Generator(seed: 1))
    #expect(try small(Tensor.zeros([2, 3, 16, 16])).shape == [2, 3])
    expectModuleLaws(small)
  }

  @Test func oneSeedGivesOneModel() throws {
    func state(_ seed: UInt64) throws -> ModelState {
      try ImageClassifier(size: 8, using: Generator(seed: seed)).state()
    }
    #expect(try state(1).isIdentical(to: state(1)))
    #expect(try !state(1).isIdentical(to: state(2)))
  }

  @Test func trainingLowersTheLoss() throws {
    let generator = try Generator(seed: 1)
    let model = try Sequential(
      Linear(4, 16, using: generator),
      Activation(relu),
      Dropout(0.1, using: generator),
      Linear(16, 2, using: generator)
    )
    let x = try Tensor.normal([64, 4], using: generator)
    let labels = try x.sum(along: 1).isGreater(than: 0).to(.int64)
    let optimizer = try Adam(model.parameters, learningRate: 0.02)
    let first = try crossEntropy(model(x), labels).item()
    for _ in 0..<40 { try optimizer.step(minimizing: crossEntropy(model(x), labels)) }
    model.setMode(.evaluation)
    #expect(try crossEntropy(model(x), labels).item() < first * 0.5)
  }
}

@Suite struct InitializerTests {
  private func spread(_ initializer: Initializer, _ shape: [Int]) throws -> (Double, Double) {
    let values = try initializer(shape, using: Generator(seed: 1))
    #expect(values.shape == shape)
    return (try values.variance().item().squareRoot(), try abs(values).maximum().item())
  }

  @Test func deviationsAreThoseOfThePapers() throws {
    let shape = [64, 32, 3, 3]
    let fanIn = 32.0 * 9
    let fanOut = 64.0 * 9
    let (normal, _) = try spread(.kaimingNormal(), shape)
    #expect(Swift.abs(normal / (2 / fanIn).squareRoot() - 1) < 0.02)
    let (uniform, bound) = try spread(.kaimingUniform(), shape)
    #expect(Swift.abs(uniform / (2 / fanIn).squareRoot() - 1) < 0.02)
    #expect(bound <= (6 / fanIn).squareRoot())
    let (_, xavier) = try spread(.xavierUniform(), shape)
    let limit = (6 / (fanIn + fanOut)).squareRoot()
    #expect(xavier <= limit && xavier > 0.99 * limit)
    let (_, plain) = try spread(.fanIn(16), shape)
    #expect(plain <= 0.25 && plain > 0.245)
    #expect(try spread(.ones, [3]) == (0, 1))
    #expect(try spread(.zeros, [3]) == (0, 0))
  }
}
