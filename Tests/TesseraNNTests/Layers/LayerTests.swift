import TesseraCore
import TesseraNN
import TesseraTesting
import Testing

@Suite struct LayerTests {
  @Test(arguments: LayerCase.all) func everyLayerAgreesWithPyTorch(_ layer: LayerCase) throws {
    let golden = try Golden("layers", layer.name)
    let (module, call) = try layer.make(Generator(seed: 1))
    let state = try ModelState(golden.all("p"))
    try module.load(state)

    let x = try layer.hasWholeInput ? golden("x") : golden("x").asVariable()
    let y = try call(x)
    expectClose(y, try golden("y"), absolute: 1e-5, relative: 1e-4, "output")

    let named = module.namedParameters
    let inputs = (layer.hasWholeInput ? [] : [x]) + named.map(\.parameter.value)
    let names = (layer.hasWholeInput ? [] : ["x"]) + named.map(\.name)
    let gradients = try y.gradients(for: inputs, seed: golden("seed"))
    for (name, gradient) in zip(names, gradients) {
      expectClose(
        gradient,
        try golden("d.\(name)"),
        absolute: 2e-5,
        relative: 1e-4,
        "gradient of \(name)"
      )
    }
    for (name, expected) in try golden.all("after") {
      let buffer = try #require(module.namedBuffers.first { $0.name == name })
      expectClose(buffer.buffer.value, expected, name)
    }
  }

  @Test(arguments: LayerCase.all)
  func everyLayersGradientsAgreeWithFiniteDifferences(_ layer: LayerCase) throws {
    let golden = try Golden("layers", layer.name)
    let (module, call) = try layer.make(Generator(seed: 1))
    try module.load(try ModelState(golden.all("p")))
    try module.convert(to: .float64)
    let parameters = module.parameters
    let x = try layer.hasWholeInput ? golden("x") : golden("x").to(.float64)
    let values = try parameters.map { try $0.value.copied() }
    // The padding row is not trained by design, and finite differences would see it.
    guard layer.name != "embedding.padding" else { return }

    // The layer reads its own parameters, so their gradients come from the layer, and differences from assigning to them.
    if !layer.hasWholeInput {
      gradientCheck([x], "input") { try call($0[0]) }
    }
    guard !parameters.isEmpty else { return }
    let y = try call(x)
    let gradients = try y.gradients(
      for: parameters.map(\.value),
      seed: Tensor.ones(y.shape, dtype: .float64)
    )
    for ((parameter, value), gradient) in zip(zip(parameters, values), gradients) {
      var elements: [Double] = try value.array()
      let slopes = try elements.indices.map { index in
        let center = elements[index]
        func sum(at place: Double) throws -> Double {
          elements[index] = place
          try parameter.assign(Tensor(elements, shape: value.shape))
          return try withoutGradient { try call(x).sum().item() }
        }
        defer { elements[index] = center }
        return try (sum(at: center + 1e-5) - sum(at: center - 1e-5)) / 2e-5
      }
      try parameter.assign(value)
      expectClose(
        gradient,
        try Tensor(slopes, shape: value.shape),
        absolute: 1e-6,
        relative: 1e-6
      )
    }
  }

  @Test(arguments: LayerCase.all) func everyLayerObeysTheLawsOfModules(_ layer: LayerCase) throws {
    let (module, _) = try layer.make(Generator(seed: 1))
    guard !module.parameters.isEmpty else { return }
    expectModuleLaws(module)
  }

  @Test func thePaddingRowIsZeroAndGetsNoGradient() throws {
    let layer = try Embedding(entries: 4, width: 2, paddingIndex: 1, using: Generator(seed: 1))
    expectClose(try layer.weight.value.slice(at: 1), [0, 0])
    let loss = try layer(Tensor([0, 1, 1, 3])).sum()
    expectClose(try loss.gradients(for: layer.parameters)[0], [1, 1, 0, 0, 0, 0, 1, 1])
  }

  @Test func attentionWithDropoutOfNearlyNothingAgreesWithTheFusedKernel() throws {
    let x = try Tensor.normal([2, 5, 6], using: Generator(seed: 3))
    let mask = try Tensor.uniform([2, 1, 5, 5], using: Generator(seed: 4)).isLess(than: 0.7)
      .or(Tensor.identity(5).to(.bool))
    let plain = try MultiHeadAttention(width: 6, heads: 2, using: Generator(seed: 1))
    let dropping = try MultiHeadAttention(
      width: 6,
      heads: 2,
      dropout: 1e-12,
      using: Generator(seed: 1)
    )
    for (mask, isCausal) in [(nil, false), (nil, true), (mask, false), (mask, true)] {
      expectClose(
        try dropping(x, mask: mask, isCausal: isCausal),
        try plain(x, mask: mask, isCausal: isCausal),
        absolute: 1e-5
      )
    }
  }

  @Test(arguments: [0, 1e-12]) func aQueryThatMaySeeNoKeyGetsZeros(dropout: Double) throws {
    let layer = try MultiHeadAttention(
      width: 6,
      heads: 2,
      dropout: dropout,
      using: Generator(seed: 1)
    )
    let x = try Tensor.normal([1, 3, 6], using: Generator(seed: 3)).asVariable()
    let mask = try Tensor(
      [true, true, true, false, false, false, true, false, true],
      shape: [3, 3]
    )
    let y = try layer(x, mask: mask)
    let bias = try #require(layer.output.bias).value.detached()
    expectClose(try y.detached().slice(at: 1, along: 1), try bias.unsqueezed(0))
    for gradient in try y.sum().gradients(for: [x] + layer.parameters.map(\.value)) {
      #expect(try gradient.isFinite().all().item() == 1)
    }
  }

  @Test func channelsThatGroupsDoNotDivideAreRefused() throws {
    #expect(throws: TensorError.self) {
      try Conv2d(3, 4, kernel: 3, groups: 2, using: Generator(seed: 1))
    }
    #expect(throws: TensorError.self) {
      try MultiHeadAttention(width: 5, heads: 2, using: Generator(seed: 1))
    }
  }

  @Test func batchNormalisationOfOneValueIsRefusedInTraining() throws {
    let norm = try BatchNorm(2)
    #expect(throws: TensorError.self) { try norm(Tensor.ones([1, 2])) }
    #expect(throws: TensorError.self) { try norm(Tensor.ones([2])) }
    norm.setMode(.evaluation)
    expectClose(try norm(Tensor.zeros([1, 2])), [0, 0])
  }
}
