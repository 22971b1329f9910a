import TesseraCore
import TesseraTesting
import Testing

@Suite struct GradientTests {
  @Test func gradientsAreReturnedAndNeverAccumulate() throws {
    let x = try Tensor([3.0, -1]).asVariable()
    for _ in 0..<2 {
      let gradient = try (x * x).sum().gradients(for: [x])[0]
      expectClose(gradient, [6, -2])
    }
  }

  @Test func aVariableThatIsNotUsedGetsZeros() throws {
    let x = try Tensor([3.0]).asVariable()
    let unused = try Tensor([1.0, 2], shape: [1, 2]).asVariable()
    let gradients = try (x * x).sum().gradients(for: [unused, x])
    expectClose(gradients[0], [0, 0])
    #expect(gradients[0].shape == [1, 2])
    expectClose(gradients[1], [6])
    #expect(try x.sum().gradients(for: [Tensor]()).isEmpty)
  }

  @Test func gradientsCanBeDifferentiatedAgain() throws {
    let x = try Tensor([2.0]).asVariable()
    let cube = try x.power(3).sum()
    let first = try cube.gradients(for: [x], differentiable: true)[0]
    expectClose(first, [12])
    let second = try first.sum().gradients(for: [x], differentiable: true)[0]
    expectClose(second, [12])
    expectClose(try second.sum().gradients(for: [x])[0], [6])
  }

  @Test func aTensorOfSeveralElementsNeedsASeed() throws {
    let x = try Tensor([1.0, 2]).asVariable()
    let y = try x * x
    #expect(throws: TensorError.self) { _ = try y.gradients(for: [x]) }
    #expect(throws: TensorError.self) { _ = try y.gradients(for: [x], seed: Tensor([1.0, 1, 1])) }
    expectClose(try y.gradients(for: [x], seed: Tensor([1.0, 10]))[0], [2, 40])
  }

  @Test func aGraphIsUsedUp() throws {
    let x = try Tensor([1.0]).asVariable()
    let y = try exp(x).sum()
    _ = try y.gradients(for: [x])
    #expect(throws: TensorError.self) { _ = try y.gradients(for: [x]) }
  }

  @Test func nothingIsRecordedWithoutGradient() throws {
    let x = try Tensor([1.0]).asVariable()
    let silent = try withoutGradient { try (x * x).sum() }
    #expect(!silent.requiresGradient)
    #expect(throwing(.invalidArgument) { _ = try silent.gradients(for: [x]) })
    #expect(throws: TensorError.self) {
      try withoutGradient { _ = try Tensor.zeros([2]) + Tensor.zeros([3]) }
    }
    // An error inside leaves the scope, too.
    #expect(try (x * x).requiresGradient)
    let nested = try withoutGradient { try withoutGradient { try x * 2 }.requiresGradient }
    #expect(!nested)
    #expect(try !(x * x).detached().requiresGradient)
    #expect(try !x.copied().requiresGradient)
  }

  @Test func autocastComputesProductsInHalfPrecision() throws {
    let x = try Tensor([1.0, 2] as [Float], shape: [1, 2]).asVariable()
    let weight = try Tensor([3.0, 4] as [Float], shape: [1, 2]).asVariable()
    let (product, sum) = try withAutocast {
      (try x.linear(weight: weight), try (x * weight).sum())
    }
    #expect(product.dtype == .bfloat16)
    #expect(sum.dtype == .float32)
    let gradients = try product.sum().gradients(for: [x, weight])
    #expect(gradients.map(\.dtype) == [.float32, .float32])
    expectClose(gradients[0], [3, 4])
    #expect(try x.linear(weight: weight).dtype == .float32)
    // Each scope sees the weights as they are then, not as an earlier one cast them.
    let other = try withoutGradient { try weight * 2 }
    let later = try withAutocast { try x.linear(weight: other) }
    expectClose(later, [22])
  }

  @Test func autocastToAnythingButHalfPrecisionStopsTheProgram() async {
    await #expect(processExitsWith: .failure) { withAutocast(to: .int64) {} }
  }

  @Test func normsAndFactorsApplyToAllTensorsTogether() throws {
    let tensors = try [Tensor([3.0]), Tensor([0.0, 4], shape: [2, 1])]
    #expect(try tensors.totalNorm() == 5)
    expectClose(try tensors.scaled(by: 2)[1], [0, 8])
    #expect(try [Tensor]().totalNorm() == 0)
    #expect(try [Tensor]().scaled(by: 2).isEmpty)
  }
}

/// A function with inputs to differentiate it at.
private struct Differentiable: CustomTestStringConvertible, Sendable {
  let testDescription: String
  let shapes: [[Int]]
  let function: @Sendable ([Tensor]) throws -> Tensor

  init(
    _ name: String,
    _ shapes: [Int]...,
    function: @escaping @Sendable ([Tensor]) throws -> Tensor
  ) {
    testDescription = name
    self.shapes = shapes
    self.function = function
  }
}

private let differentiable: [Differentiable] = [
  Differentiable("products and quotients", [2, 3], [3]) { try $0[0] * $0[1] / ($0[1] + 3) },
  Differentiable("exp and log", [4]) { try log(exp($0[0]) + 1) },
  Differentiable("matmul", [2, 3], [3, 2]) { try $0[0].matmul($0[1]) },
  Differentiable("einsum", [2, 2, 3], [2, 3, 2]) { try einsum("bij,bjk->bik", $0[0], $0[1]) },
  Differentiable("softmax", [2, 3]) { try softmax($0[0], along: 1) },
  Differentiable("variance", [2, 3]) { try $0[0].variance(along: 1) },
  Differentiable("norm", [3]) { try $0[0].norm() },
  Differentiable("convolution", [1, 2, 5, 4], [2, 2, 3, 3], [2]) {
    try $0[0].convolved(
      with: $0[1],
      bias: $0[2],
      geometry: .init(stride: [2, 1], padding: [1, 1], dilation: [1, 1])
    )
  },
  Differentiable("transposed convolution", [1, 2, 3, 3], [2, 2, 2, 2]) {
    try $0[0].transposeConvolved(
      with: $0[1],
      geometry: .init(stride: [2, 2], padding: [0, 0], dilation: [1, 1])
    )
  },
  Differentiable("average pooling", [1, 1, 4, 4]) { try $0[0].averagePooled(kernel: [2, 2]) },
  Differentiable("adaptive pooling", [1, 1, 5, 4]) { try $0[0].averagePooled(to: [2, 3]) },
  Differentiable("max pooling", [1, 1, 4, 4]) { try $0[0].maxPooled(kernel: [2, 2]) },
  Differentiable("resizing", [1, 1, 3, 3]) { try $0[0].resized(to: [5, 4], using: .linear) },
  Differentiable("layer normalisation", [2, 4], [4], [4]) {
    try $0[0].layerNormalized(over: [4], weight: $0[1], bias: $0[2])
  },
  Differentiable("group normalisation", [2, 4, 3]) { try $0[0].groupNormalized(groups: 2) },
  Differentiable("embeddings", [4, 2]) { try $0[0].embeddings(at: Tensor([1, 3, 1])) },
  Differentiable("gathering", [3, 2]) { try $0[0].gathered(Tensor([2, 2, 0])) },
  Differentiable("scattering", [2, 3], [2, 1]) {
    try $0[0].scattered($0[1], at: Tensor([2, 0], shape: [2, 1]), along: 1, adding: true)
  },
  Differentiable("padding", [1, 2, 4]) { try $0[0].padded([1, 2], mode: .reflecting) },
  Differentiable("attention", [1, 2, 3, 2], [1, 2, 4, 2], [1, 2, 4, 2]) {
    try attention(query: $0[0], key: $0[1], value: $0[2])
  },
  Differentiable("causal attention with a mask", [1, 1, 3, 2], [1, 1, 3, 2], [1, 1, 3, 2]) {
    let mask = try Tensor([true, true, true, true, true, false, true, true, true], shape: [3, 3])
    return try attention(query: $0[0], key: $0[1], value: $0[2], mask: mask, isCausal: true)
  },
  Differentiable("solving", [3, 3], [3]) {
    try ($0[0] + Tensor.identity(3, dtype: .float64) * 5).solve($0[1])
  },
  Differentiable("a Fourier transform", [4]) { try $0[0].fft().asRealPairs() },
  Differentiable("a Fourier transform of images", [1, 2, 3]) {
    try $0[0].realFFT(along: [-2, -1]).asRealPairs()
  },
  Differentiable("subscripts", [3, 4]) { try $0[0][1..., 2] },
  Differentiable("the standard deviation", [2, 3]) { try $0[0].standardDeviation(along: 1) },
  Differentiable("the norm of order 3", [2, 3]) { try $0[0].norm(order: 3, along: 1) },
]

@Suite struct FiniteDifferenceTests {
  @Test(arguments: differentiable)
  private func gradientsAgreeWithFiniteDifferences(_ case: Differentiable) throws {
    let generator = try Generator(seed: 7)
    let inputs = try `case`.shapes.map {
      try Tensor.normal($0, dtype: .float64, using: generator)
    }
    gradientCheck(inputs) { try `case`.function($0) }
  }
}
