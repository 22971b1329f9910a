import TesseraCore
import TesseraNN
import Testing

@Suite struct SizeTests {
  static let impossible: [@Sendable (Generator) throws -> any Module] = [
    { try Linear(.max, .max, using: $0) }, { try Linear(-1, 2, using: $0) },
    { try Conv2d(1, 1, kernel: Extent(.max), using: $0) },
    { try Conv2d(.max, .max, kernel: 3, using: $0) },
    { try Conv2d(1, 1, kernel: [3, 3, 3], using: $0) },
    { try Conv2d(1, 1, kernel: [], using: $0) },
    { try Conv3d(1, 1, kernel: [-1, 3, 3], using: $0) },
    { try ConvTranspose2d(1, .max, kernel: Extent(.max), using: $0) },
    { try ConvTranspose1d(1, 1, kernel: [3, 3], using: $0) },
    { try MultiHeadAttention(width: .max, heads: 1, using: $0) },
    { try MultiHeadAttention(width: -6, heads: 2, using: $0) },
    { try Embedding(entries: .max, width: .max, using: $0) },
    { try ImageClassifier(size: .max, using: $0) }, { try ImageClassifier(size: 0, using: $0) },
    { try ImageClassifier(size: .min, using: $0) },
    { try ResNet18(classes: 2, width: .max, using: $0) },
    { try ResNet18(classes: 2, width: -1, using: $0) },
    { _ in try LayerNorm(.max, .max) }, { _ in try RMSNorm([.max, .max]) },
  ]

  @Test(arguments: impossible.indices) func sizesThatNoTensorHasAreRefused(_ index: Int) throws {
    let generator = try Generator(seed: 1)
    #expect(throws: TensorError.self) { try Self.impossible[index](generator) }
  }

  @Test(arguments: [-1, -.infinity, Double.nan, .infinity])
  func gainsThatCannotBeAreRefused(gain: Double) throws {
    for initializer in [Initializer.kaimingUniform(gain: gain), .xavierUniform(gain: gain)] {
      #expect(throws: TensorError.self) { try initializer([3, 4], using: Generator(seed: 1)) }
    }
  }

  @Test func anInitializerIsToldOfSizesThatOverflow() {
    for initializer in [
      Initializer.kaimingUniform(), .kaimingNormal(), .xavierUniform(), .fanIn(.max), .fanIn(.min),
    ] {
      #expect(throws: TensorError.self) {
        try initializer([.max, .max, .max], using: Generator(seed: 1))
      }
    }
  }

  @Test func theSmallestImageIsOnePixel() throws {
    let model = try ImageClassifier(size: 1, classes: 2, using: Generator(seed: 1))
    #expect(try model(Tensor.zeros([3, 1, 1, 1])).shape == [3, 2])
  }
}
