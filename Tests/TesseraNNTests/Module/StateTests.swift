import TesseraCore
import TesseraNN
import TesseraTesting
import Testing

private final class Counter: Module {
  let weight: Parameter
  let count: Buffer
  init() throws {
    weight = try Parameter(Tensor.zeros([2]))
    count = try Buffer(Tensor([7]))
  }
}

@Suite struct StateTests {
  private func load(_ weight: Tensor, _ count: Tensor, into module: some Module) throws {
    try module.load(ModelState([(name: "weight", tensor: weight), (name: "count", tensor: count)]))
  }

  @Test func realNumbersAreConverted() throws {
    let module = try Counter()
    for dtype in [DType.float16, .bfloat16, .float64] {
      try load(Tensor([0.5, 2]).to(dtype), Tensor([3]), into: module)
      #expect(module.weight.value.dtype == .float32)
      expectClose(module.weight.value, [0.5, 2])
    }
  }

  @Test func numbersOfAnotherKindAreRefusedByName() throws {
    let module = try Counter()
    let before = try module.state()
    let (weight, count) = (try Tensor.ones([2]), try Tensor([3]))
    for (weight, count, name) in [
      (try weight.to(.int64), count, "weight"), (try weight.to(.complex64), count, "weight"),
      (weight, try Tensor([3.5]), "count"), (weight, try count.to(.int32), "count"),
    ] {
      let error = #expect(throws: TensorError.self) { try load(weight, count, into: module) }
      #expect(error?.code == .shapeMismatch)
      #expect(error?.message.contains("'\(name)'") == true)
    }
    #expect(try module.state().isIdentical(to: before))
  }

  @Test func mapsOfTheSameRulesAreEqual() {
    let rules = Dictionary(uniqueKeysWithValues: (0..<20).map { ("from\($0)", "to") })
    for _ in 0..<10 {
      // The order of a dictionary differs from one to the next, with what was in it before.
      var other = ["some": "thing"]
      for (from, to) in rules.shuffled() { other[from] = to }
      other["some"] = nil
      #expect(KeyMap(rules) == KeyMap(other))
      #expect(KeyMap(rules).hashValue == KeyMap(other).hashValue)
    }
    #expect(KeyMap(rules) != KeyMap(["from0": "to"]))
  }

  @Test func namesWithoutARuleStayAsTheyAre() {
    for name in ["a..b", ".a", "a.", "", "."] {
      #expect(KeyMap.identity(name) == name)
      #expect(KeyMap(["c": "d"])(name) == name)
    }
    #expect(KeyMap(["module": ""])("module.weight") == "weight")
  }

  @Test func weightsOfVolumesAreLaidOutForChannelsLast() throws {
    let layer = try Conv3d(2, 3, kernel: 2, using: Generator(seed: 1))
    let x = try Tensor.normal([1, 2, 3, 4, 5], using: Generator(seed: 2))
    let before = try layer(x)
    try layer.useChannelsLast()
    #expect(layer.weight.value.isContiguous(as: .channelsLast3d))
    expectClose(try layer(x), before, absolute: 1e-5)
  }

  @Test func aMoveToTheSameDeviceKeepsTheDraws() throws {
    let dropout = try Dropout(0.5, using: Generator(seed: 7))
    let expected = try Dropout(0.5, using: Generator(seed: 7))(Tensor.ones([64]))
    let generator = dropout.generator
    try dropout.move(to: .cpu)
    #expect(dropout.generator === generator)
    #expect(try dropout(Tensor.ones([64])).isIdentical(to: expected))
  }

  @Test(.enabled(if: Device.cudaCount > 0)) func aMovedModelDropsOnItsDevice() throws {
    let generator = try Generator(seed: 7)
    let model = Sequential(
      try Linear(4, 4, using: generator),
      try Dropout(0.5, using: generator),
      try BatchNorm(4),
      try Dropout(0.5, using: generator)
    )
    try model.move(to: .cuda(0))
    #expect(try model(Tensor.ones([8, 4], on: .cuda(0))).device == .cuda(0))
    let generators = model.layers.compactMap { ($0 as? Dropout)?.generator }
    #expect(generators[0] === generators[1])
  }
}
