public import TesseraCore

/// Two convolutions and a way around them (He et al., 2016, figure 5 left).
public final class ResidualBlock: Layer {
  /// 3×3, with the block's stride.
  public let conv1: Conv2d
  /// After the first convolution.
  public let norm1: BatchNorm
  /// 3×3.
  public let conv2: Conv2d
  /// After the second convolution.
  public let norm2: BatchNorm
  /// 1×1, where size or channels change.
  public let shortcut: Conv2d?
  /// After the shortcut's convolution.
  public let shortcutNorm: BatchNorm?

  /// A block with random weights.
  public init(_ inputs: Int, _ outputs: Int, stride: Int, using generator: Generator) throws {
    let initializer = Initializer.kaimingNormal()
    conv1 = try Conv2d(
      inputs,
      outputs,
      kernel: 3,
      stride: Extent(stride),
      padding: 1,
      hasBias: false,
      initializer: initializer,
      using: generator
    )
    norm1 = try BatchNorm(outputs)
    conv2 = try Conv2d(
      outputs,
      outputs,
      kernel: 3,
      padding: 1,
      hasBias: false,
      initializer: initializer,
      using: generator
    )
    norm2 = try BatchNorm(outputs)
    let changes = stride != 1 || inputs != outputs
    shortcut =
      changes
      ? try Conv2d(
        inputs,
        outputs,
        kernel: 1,
        stride: Extent(stride),
        hasBias: false,
        initializer: initializer,
        using: generator
      ) : nil
    shortcutNorm = changes ? try BatchNorm(outputs) : nil
  }

  /// The block's output.
  ///
  /// - Parameter x: `[batch, inputs, height, width]`.
  /// - Returns: `[batch, outputs, height / stride, width / stride]`.
  /// - Throws: `TensorError` if the shapes do not fit.
  public func callAsFunction(_ x: Tensor) throws -> Tensor {
    let h = try norm2(conv2(relu(norm1(conv1(x)))))
    guard let shortcut, let shortcutNorm else { return try relu(h + x) }
    return try relu(h + shortcutNorm(shortcut(x)))
  }
}

/// ResNet-18 with a stem for small images (He et al., 2016, section 4.2), as for CIFAR-10.
public final class ResNet18: Layer {
  /// 3×3, without the pooling of the ImageNet variant.
  public let stem: Conv2d
  /// After the stem.
  public let norm: BatchNorm
  /// Four stages of two blocks.
  public let blocks: [ResidualBlock]
  /// To one logit per class.
  public let head: Linear

  /// A network with random weights.
  ///
  /// - Parameters:
  ///   - channels: Channels of the images.
  ///   - classes: The number of classes.
  ///   - width: Channels of the first stage; 64 in the paper.
  ///   - generator: Draws the first values.
  /// - Throws: `TensorError` if memory or a size does not allow it.
  public init(channels: Int = 3, classes: Int, width: Int = 64, using generator: Generator) throws {
    let features = try product(of: [width, 8])
    stem = try Conv2d(
      channels,
      width,
      kernel: 3,
      padding: 1,
      hasBias: false,
      initializer: .kaimingNormal(),
      using: generator
    )
    norm = try BatchNorm(width)
    var inputs = width
    blocks = try (0..<8).map { index in
      let outputs = width << (index / 2)
      defer { inputs = outputs }
      return try ResidualBlock(
        inputs,
        outputs,
        stride: index % 2 == 0 && index > 0 ? 2 : 1,
        using: generator
      )
    }
    head = try Linear(features, classes, using: generator)
  }

  /// The logits.
  ///
  /// - Parameter x: `[batch, channels, height, width]`.
  /// - Returns: `[batch, classes]`.
  /// - Throws: `TensorError` if the shapes do not fit.
  public func callAsFunction(_ x: Tensor) throws -> Tensor {
    let h = try blocks.reduce(relu(norm(stem(x)))) { try $1($0) }
    return try head(h.mean(along: 2, 3))
  }
}
