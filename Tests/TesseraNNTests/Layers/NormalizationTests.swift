import TesseraCore
import TesseraNN
import TesseraTesting
import Testing

@Suite struct NormalizationTests {
  private let x: Tensor

  init() throws {
    x = try Tensor.normal([2, 3, 4], dtype: .float64, using: Generator(seed: 1))
  }

  /// The paper's equation 4, with a weight.
  private func divided(_ x: Tensor, by weight: Tensor, over dimensions: Int) throws -> Tensor {
    let rows = try x.flattened(from: x.rank - dimensions)
    let square = try (rows * rows).mean(along: -1, keepingDimensions: true)
    return try (rows / sqrt(square + 1e-3)).reshaped(to: x.shape) * weight
  }

  @Test(arguments: [[4], [3, 4]]) func theRootOfTheMeanSquareIsDividedBy(_ shape: [Int]) throws {
    let norm = try RMSNorm(shape, epsilon: 1e-3)
    let weight = try Tensor.normal(shape, dtype: .float64, using: Generator(seed: 2))
    try norm.convert(to: .float64)
    try #require(norm.weight).assign(weight)
    expectClose(try norm(x), try divided(x, by: weight, over: shape.count))
    gradientCheck([x]) { try norm($0[0]) }

    let expected = try weight.asVariable()
    let gradient = try norm(x).squared().sum().gradients(for: norm.parameters)[0]
    expectClose(
      gradient,
      try divided(x, by: expected, over: shape.count).squared().sum().gradients(for: [expected])[0]
    )
    expectModuleLaws(norm)
  }

  @Test func theSizesCanBeListedOneByOne() throws {
    #expect(try RMSNorm(3, 4).shape == [3, 4])
    #expect(try LayerNorm(3, 4).shape == [3, 4])
    #expect(try LayerNorm([3, 4]).weight?.value.shape == [3, 4])
  }

  @Test func normsWithoutLearnedNumbersAgreeWithNewOnes() throws {
    let x = try x.to(.float32)
    let pairs: [(any Layer, any Layer)] = [
      (try BatchNorm(3, isAffine: false), try BatchNorm(3)),
      (
        try GroupNorm(groups: 3, channels: 3, isAffine: false),
        try GroupNorm(groups: 3, channels: 3)
      ),
      (try LayerNorm(4, isAffine: false), try LayerNorm(4)),
      (try RMSNorm(4, isAffine: false), try RMSNorm(4)),
    ]
    for (plain, learned) in pairs {
      #expect(plain.parameters.isEmpty && !learned.parameters.isEmpty)
      for mode in [Mode.training, .evaluation] {
        plain.setMode(mode)
        learned.setMode(mode)
        expectClose(try plain(x), try learned(x))
      }
    }
    expectModuleLaws(try BatchNorm(3, isAffine: false))
  }

  @Test func gradientsPassNormsWithoutLearnedNumbers() throws {
    for layer in [
      try BatchNorm(3, isAffine: false), try GroupNorm(groups: 3, channels: 3, isAffine: false),
      try LayerNorm(4, isAffine: false), try RMSNorm(4, isAffine: false),
    ] as [any Layer] {
      try layer.convert(to: .float64)
      gradientCheck([x]) { try layer($0[0]) }
    }
  }
}
