public import TesseraCore
public import TesseraNN

/// The part of a model that looks at pictures.
public protocol ImageTower: Layer {
  /// How many numbers describe a picture.
  var features: Int { get }
}

extension EfficientNet: ImageTower {}

/// A small residual network, for pictures of 32 to 64 pixels on machines without a GPU: a stem that halves the picture, then stages of
/// ``ResidualBlock``s, of which all but the first halve it again.
public final class ResidualTower: ImageTower {
  /// 5×5, halves the picture.
  public let stem: Conv2d
  /// After it.
  public let norm: BatchNorm
  /// First to last.
  public let blocks: [ResidualBlock]
  /// How many numbers describe a picture: the last stage's width.
  public let features: Int

  /// A network with random weights.
  ///
  /// - Parameters:
  ///   - channels: Channels of the pictures.
  ///   - widths: Channels of each stage.
  ///   - depth: How many blocks a stage has.
  ///   - generator: Draws the first values.
  /// - Throws: `TensorError` if memory or a size does not allow it.
  public init(
    channels: Int = 3,
    widths: [Int],
    depth: Int = 1,
    using generator: Generator
  ) throws {
    guard let first = widths.first, let last = widths.last, depth >= 1 else {
      throw TensorError(
        code: .invalidArgument,
        message: "a residual tower has one stage and one block in each at least"
      )
    }
    stem = try Conv2d(
      channels,
      first,
      kernel: 5,
      stride: 2,
      padding: 2,
      hasBias: false,
      initializer: .kaimingNormal(),
      using: generator
    )
    norm = try BatchNorm(first)
    var blocks: [ResidualBlock] = []
    var inputs = first
    for (stage, width) in widths.enumerated() {
      for index in 0..<depth {
        let stride = index == 0 && stage > 0 ? 2 : 1
        blocks.append(try ResidualBlock(inputs, width, stride: stride, using: generator))
        inputs = width
      }
    }
    self.blocks = blocks
    features = last
  }

  /// The features of pictures: the means of all places.
  ///
  /// - Parameter x: `[batch, channels, height, width]`.
  /// - Returns: `[batch, features]`.
  /// - Throws: `TensorError` if the shapes do not fit.
  public func callAsFunction(_ x: Tensor) throws -> Tensor {
    try blocks.reduce(relu(norm(stem(x)))) { try $1($0) }.mean(along: 2, 3)
  }
}
