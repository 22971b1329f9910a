public import TesseraCore
public import TesseraNN

/// EfficientNet without its classifier (Tan and Le, 2019), as the image tower of ALIGN has it: without the last 1×1 convolution
/// too, unless asked for.
///
///     let network = try EfficientNet(.b0, using: generator)
///     let features = try network(images)  // [batch, 320]
public final class EfficientNet: Layer {
  /// 3×3, halves the image.
  public let stem: Conv2d
  /// After it.
  public let stemNorm: BatchNorm
  /// First to last.
  public let blocks: [InvertedBottleneck]
  /// 1×1, to 1,280 channels times the width; `nil` without it.
  public let top: Conv2d?
  /// After it.
  public let topNorm: BatchNorm?
  /// How many numbers describe an image.
  public let features: Int

  /// The stages of B0 (table 1): kernel, stride, expansion, channels, and how often the block is repeated.
  private static let stages:
    [(kernel: Int, stride: Int, expansion: Int, channels: Int, count: Int)] = [
      (3, 1, 1, 16, 1), (3, 2, 6, 24, 2), (5, 2, 6, 40, 2), (3, 2, 6, 80, 3), (5, 1, 6, 112, 3),
      (5, 2, 6, 192, 4), (3, 1, 6, 320, 1),
    ]

  /// As in the paper's code: normal, its variance two over the outputs of a filter.
  static let initializer = Initializer { shape, generator in
    let fan = Double(shape[0] * shape.dropFirst(2).reduce(1, *))
    return try Tensor.normal(shape, deviation: (2 / max(1, fan)).squareRoot(), using: generator)
  }

  /// As in the paper's code.
  static func norm(_ channels: Int) throws -> BatchNorm {
    try BatchNorm(channels, momentum: 0.01, epsilon: 1e-3)
  }

  /// A network with random weights.
  ///
  /// - Parameters:
  ///   - size: B0 to B7, or one between.
  ///   - channels: Channels of the images.
  ///   - hasTop: Whether the last 1×1 convolution is there.
  ///   - dropping: How often training leaves out the last block; those before it less often, the first never.
  ///   - generator: Draws the first values.
  /// - Throws: `TensorError` if memory or a size does not allow it.
  public init(
    _ size: EfficientNetSize,
    channels: Int = 3,
    hasTop: Bool = false,
    dropping: Double = 0.2,
    using generator: Generator
  ) throws {
    var inputs = size.channels(32)
    stem = try Conv2d(
      channels,
      inputs,
      kernel: 3,
      stride: 2,
      padding: 1,
      hasBias: false,
      initializer: Self.initializer,
      using: generator
    )
    stemNorm = try Self.norm(inputs)
    var sizes: [InvertedBottleneck.Sizes] = []
    for stage in Self.stages {
      let outputs = size.channels(stage.channels)
      for index in 0..<size.blocks(stage.count) {
        sizes.append(
          InvertedBottleneck.Sizes(
            inputs: inputs,
            outputs: outputs,
            kernel: stage.kernel,
            stride: index == 0 ? stage.stride : 1,
            expansion: stage.expansion
          )
        )
        inputs = outputs
      }
    }
    let count = Double(sizes.count)
    blocks = try sizes.enumerated().map { index, sizes in
      try InvertedBottleneck(sizes, dropping: dropping * Double(index) / count, using: generator)
    }
    let outputs = size.channels(1280)
    top =
      hasTop
      ? try Conv2d(
        inputs,
        outputs,
        kernel: 1,
        hasBias: false,
        initializer: Self.initializer,
        using: generator
      ) : nil
    topNorm = hasTop ? try Self.norm(outputs) : nil
    features = hasTop ? outputs : inputs
  }

  /// The features of images: the means of all places.
  ///
  /// - Parameter x: `[batch, channels, height, width]`.
  /// - Returns: `[batch, features]`.
  /// - Throws: `TensorError` if the shapes do not fit.
  public func callAsFunction(_ x: Tensor) throws -> Tensor {
    try map(x).mean(along: 2, 3)
  }

  /// The features of each place.
  ///
  /// - Parameter x: `[batch, channels, height, width]`.
  /// - Returns: `[batch, features, ⌈height / 32⌉, ⌈width / 32⌉]`.
  /// - Throws: `TensorError` if the shapes do not fit.
  public func map(_ x: Tensor) throws -> Tensor {
    var h = try blocks.reduce(silu(stemNorm(stem(x)))) { try $1($0) }
    if let top, let topNorm { h = try silu(topNorm(top(h))) }
    return h
  }
}
