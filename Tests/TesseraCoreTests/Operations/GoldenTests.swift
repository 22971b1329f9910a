import SystemPackage
import TesseraCore
import TesseraTesting
import Testing

/// PyTorch's results, made by `Fixtures/make_golden.py`.
private struct Golden {
  private let file: SafeTensors

  init() throws {
    let folder = FilePath(#filePath).removingLastComponent().removingLastComponent()
    file = try SafeTensors(contentsOf: folder.appending("Fixtures/operations.safetensors"))
  }

  /// An input of the operations.
  func callAsFunction(_ name: String) throws -> Tensor { try file.tensor("in/\(name)") }

  /// What PyTorch made of it.
  func result(_ name: String) throws -> Tensor { try file.tensor("out/\(name)") }

  var resultNames: Set<String> {
    Set(file.names.filter { $0.hasPrefix("out/") }.map { String($0.dropFirst(4)) })
  }
}

/// An operation under the name of its result.
private struct Operation: CustomTestStringConvertible, Sendable {
  let name: String
  let run: @Sendable (Golden) throws -> Tensor
  var testDescription: String { name }

  init(_ name: String, _ run: @escaping @Sendable (Golden) throws -> Tensor) {
    self.name = name
    self.run = run
  }
}

private typealias Function = @Sendable (Tensor) throws -> Tensor

private let functions: [(name: String, function: Function)] = [
  ("exp", { try exp($0) }), ("log1p", { try log1p(abs($0)) }), ("expm1", { try expm1($0) }),
  ("sin", { try sin($0) }), ("cos", { try cos($0) }), ("tan", { try tan($0) }),
  ("atan", { try atan($0) }), ("sinh", { try sinh($0) }), ("cosh", { try cosh($0) }),
  ("tanh", { try tanh($0) }), ("erf", { try erf($0) }), ("abs", { try abs($0) }),
  ("floor", { try floor($0) }), ("ceil", { try ceil($0) }), ("trunc", { try trunc($0) }),
  ("sign", { try sign($0) }), ("relu", { try relu($0) }), ("sigmoid", { try sigmoid($0) }),
  ("silu", { try silu($0) }), ("mish", { try mish($0) }), ("hardswish", { try hardswish($0) }),
  ("logSigmoid", { try logSigmoid($0) }), ("gelu", { try gelu($0) }),
  ("geluTanh", { try gelu($0, approximate: true) }), ("leakyRelu", { try leakyRelu($0) }),
  ("elu", { try elu($0) }), ("softplus", { try softplus($0) }),
  ("softmax", { try softmax($0, along: 1) }), ("logSoftmax", { try logSoftmax($0, along: 0) }),
]

/// Of numbers between 0 and 1.
private let functionsOfUnit: [(name: String, function: Function)] = [
  ("log", { try log($0) }), ("log2", { try log2($0) }), ("log10", { try log10($0) }),
  ("sqrt", { try sqrt($0) }), ("rsqrt", { try rsqrt($0) }), ("asin", { try asin($0) }),
  ("acos", { try acos($0) }),
]

private let elementWise: [Operation] =
  functions.map { name, function in
    Operation("unary/\(name)") { try function($0("x")) }
  }
  + functionsOfUnit.map { name, function in
    Operation("unit/\(name)") { try function($0("unit")) }
  }

private let arithmetic: [Operation] = [
  Operation("add") { try $0("x") + $0("y") },
  Operation("subtract") { try $0("x") - $0("y") },
  Operation("multiply") { try $0("x") * $0("y") },
  Operation("divide") { try $0("x") / $0("y") },
  Operation("power") { try $0("unit").power($0("y")) },
  Operation("atan2") { try atan2($0("x"), $0("y")) },
  Operation("remainder") { try $0("x").remainder(dividingBy: $0("y")) },
  Operation("floorDivide") { try $0("x").floorDivided(by: $0("y")) },
  Operation("maximum") { try maximum($0("x"), $0("y")) },
  Operation("minimum") { try minimum($0("x"), $0("y")) },
  Operation("clamp") { try $0("x").clamped(from: -0.5, to: 0.5) },
]

private let reductions: [Operation] = [
  Operation("sum") { try $0("x").sum() },
  Operation("sum1") { try $0("x").sum(along: 1) },
  Operation("mean0") { try $0("x").mean(along: 0, keepingDimensions: true) },
  Operation("max1") { try $0("x").maximum(along: 1) },
  Operation("min0") { try $0("x").minimum(along: 0) },
  Operation("logsumexp") { try $0("x").logSumExp(along: 1) },
  Operation("norm") { try $0("x").norm() },
  Operation("variance") { try $0("x").variance(along: 1) },
  Operation("cumsum") { try $0("x").cumulativeSum(along: 1) },
  Operation("prod") { try $0("x").product(along: 1) },
  Operation("argmax") { try $0("x").argmax(along: 1) },
  Operation("argmin") { try $0("x").argmin(along: 0) },
  Operation("sorted") { try $0("x").sorted(along: 1).values },
  Operation("order") { try $0("x").sorted(along: 1).indices },
  Operation("top") { try $0("x").top(2, along: 1).values },
  Operation("topPositions") { try $0("x").top(2, along: 1).indices },
]

private let linearAlgebra: [Operation] = [
  Operation("matmul") { try $0("x").matmul($0("y").transposed()) },
  Operation("bmm") { try $0("line").batchedMatmul($0("line").transposed()) },
  Operation("einsum") { try einsum("bij,bkj->bik", $0("line"), $0("line")) },
  Operation("outer") { try $0("channel").outer($0("channel")) },
  Operation("det") { try $0("square").determinant() },
  Operation("inverse") { try $0("square").inverse() },
  Operation("solve") { try $0("square").solve($0("y").transposed()) },
  Operation("singular") { try $0("x").singularValues().s },
  Operation("eigenvalues") { try $0("symmetric").symmetricEigen().values },
  Operation("cholesky") { try $0("symmetric").cholesky() },
  Operation("fftReal") { try $0("x").fft(along: 1).realPart() },
  Operation("fftImaginary") { try $0("x").fft(along: 1).imaginaryPart() },
  Operation("rfftPadded") {
    try $0("x").realFFT(along: 1, length: 6, scaling: .orthonormal).asRealPairs()
  },
]

private func geometry(
  _ stride: [Int],
  _ padding: [Int],
  _ dilation: [Int]? = nil,
  groups: Int = 1
) -> ConvolutionGeometry {
  ConvolutionGeometry(
    stride: stride,
    padding: padding,
    dilation: dilation ?? stride.map { _ in 1 },
    groups: groups
  )
}

private let networks: [Operation] = [
  Operation("conv1") {
    try $0("line").convolved(
      with: $0("kernel1"),
      bias: $0("bias6"),
      geometry: geometry([2], [1], groups: 2)
    )
  },
  Operation("conv2") {
    try $0("image").convolved(
      with: $0("kernel2"),
      bias: $0("bias6"),
      geometry: geometry([1, 2], [2, 1], [2, 1], groups: 2)
    )
  },
  Operation("conv3") {
    try $0("volume").convolved(with: $0("kernel3"), geometry: geometry([1, 1, 1], [1, 1, 1]))
  },
  Operation("transposed1") {
    try $0("line").transposeConvolved(
      with: $0("transposed1"),
      geometry: geometry([2], [1]),
      outputPadding: [1]
    )
  },
  Operation("transposed2") {
    try $0("image").transposeConvolved(
      with: $0("transposed2"),
      geometry: geometry([2, 2], [0, 0])
    )
  },
  Operation("transposed3") {
    try $0("volume").transposeConvolved(
      with: $0("transposed3"),
      geometry: geometry([2, 2, 2], [0, 0, 0])
    )
  },
  Operation("maxPool1") { try $0("line").maxPooled(kernel: [3], stride: [2], padding: [1]) },
  Operation("maxPool2") { try $0("image").maxPooled(kernel: [2, 2]) },
  Operation("maxPool3") { try $0("volume").maxPooled(kernel: [2, 2, 2]) },
  Operation("averagePool1") {
    try $0("line").averagePooled(kernel: [3], stride: [2], padding: [1])
  },
  Operation("averagePool2") {
    try $0("image").averagePooled(
      kernel: [3, 3],
      stride: [2, 2],
      padding: [1, 1],
      countingPadding: false
    )
  },
  Operation("averagePool3") { try $0("volume").averagePooled(kernel: [2, 2, 2]) },
  Operation("adaptive2") { try $0("image").averagePooled(to: [3, 2]) },
  Operation("adaptiveMax2") { try $0("image").maxPooled(to: [3, 2]) },
  Operation("nearest1") { try $0("line").resized(to: [13], using: .nearest) },
  Operation("linear1") { try $0("line").resized(to: [13], using: .linear) },
  Operation("bilinear") {
    try $0("image").resized(to: [10, 5], using: .linear, aligningCorners: true)
  },
  Operation("cubic") { try $0("image").resized(to: [10, 5], using: .cubic) },
  Operation("trilinear") { try $0("volume").resized(to: [6, 7, 3], using: .linear) },
  Operation("layerNorm") { try $0("line").layerNormalized(over: [9]) },
  Operation("groupNorm") {
    try $0("image").groupNormalized(groups: 2, weight: $0("channel"), bias: $0("spread"))
  },
  Operation("instanceNorm") {
    try $0("image").instanceNormalized(weight: $0("channel"), bias: $0("spread"))
  },
  Operation("batchNorm") {
    try $0("image").batchNormalized(
      mean: $0("channel"),
      variance: $0("spread"),
      weight: $0("spread"),
      bias: $0("channel")
    )
  },
  Operation("embeddings") { try $0("table").embeddings(at: Tensor([0, 4, 2, 2], shape: [2, 2])) },
  Operation("bags") {
    try $0("table").embeddingBags(at: Tensor([0, 4, 2, 2, 1]), offsets: Tensor([0, 2]))
  },
  Operation("attention") { try attention(query: $0("q"), key: $0("k"), value: $0("v")) },
  Operation("causal") {
    try attention(query: $0("q"), key: $0("k"), value: $0("v"), isCausal: true)
  },
]

private let shapes: [Operation] = [
  Operation("reflect") { try $0("image").padded([2, 1, 0, 3], mode: .reflecting) },
  Operation("replicate") { try $0("line").padded([1, 2], mode: .repeating) },
  Operation("constant") { try $0("x").padded([1, 0, 0, 2], mode: .constant(7)) },
  Operation("rolled") { try $0("x").rolled(by: 1, along: 1) },
  Operation("flipped") { try $0("x").flipped(along: 0, 1) },
  Operation("lower") { try $0("square").lowerTriangle(diagonal: -1) },
  Operation("upper") { try $0("square").upperTriangle(diagonal: 1) },
  Operation("gathered") {
    try $0("x").gatheredElements(Tensor([0, 3, 1, 1, 2, 0], shape: [3, 2]), along: 1)
  },
  Operation("scattered") {
    try $0("x").scattered(
      $0("y").slices(in: 0..<2, along: 1),
      at: Tensor([0, 3, 1, 2, 2, 0], shape: [3, 2]),
      along: 1
    )
  },
  Operation("added") {
    try $0("x").scattered(
      $0("y").slices(in: 0..<2, along: 1),
      at: Tensor([0, 0, 1, 1, 2, 0], shape: [3, 2]),
      along: 1,
      adding: true
    )
  },
]

private let operations =
  elementWise + arithmetic + reductions + linearAlgebra + networks + shapes

@Suite struct GoldenTests {
  @Test(arguments: operations)
  private func resultIsPyTorchs(_ operation: Operation) throws {
    let golden = try Golden()
    expectClose(
      try operation.run(golden),
      try golden.result(operation.name),
      absolute: 1e-10,
      relative: 1e-10
    )
  }

  @Test func transformsAlongSeveralDimensionsAreThoseAlongEach() throws {
    let image = try Golden()("image")
    let each = try image.fft(along: -1).fft(along: -2)
    expectClose(try image.fft(along: [-2, -1]), each)
    expectClose(try image.fft(along: []), try each.fft(along: 1).fft(along: 0))
    let half = try image.realFFT(along: [-2, -1])
    expectClose(half, try each.slices(in: 0..<5, along: -1))
    expectClose(try half.inverseRealFFT(along: [-2, -1]), image)
    expectClose(try each.inverseFFT(along: [-2, -1]).realPart(), image)
    let padded = try image.fft(along: [2, 3], lengths: [9, 4], scaling: .orthonormal)
    expectClose(
      padded,
      try image.fft(along: 2, length: 9, scaling: .orthonormal)
        .fft(along: 3, length: 4, scaling: .orthonormal)
    )
    #expect(throws: TensorError.self) { _ = try image.fft(along: [2, 3], lengths: [9]) }
  }

  @Test func everyGoldenResultIsCompared() throws {
    #expect(try Set(operations.map(\.name)) == Golden().resultNames)
  }
}
