public import TesseraCore
public import TesseraNN

/// A block of ``EfficientNet``: wider, filtered channel by channel, weighted channel by channel, narrower again (Sandler et al., 2018;
/// Hu et al., 2018; Tan and Le, 2019).
public final class InvertedBottleneck: Layer, ModeDependent {
  /// 1×1, to the width within; `nil` if that is the input's.
  public let expand: Conv2d?
  /// After it.
  public let expandNorm: BatchNorm?
  /// One filter for each channel.
  public let depthwise: Conv2d
  /// After it.
  public let depthwiseNorm: BatchNorm
  /// Of the channels' means, to few numbers.
  public let squeeze: Conv2d
  /// To a weight for each channel.
  public let excite: Conv2d
  /// 1×1, to the output's width.
  public let project: Conv2d
  /// After it.
  public let projectNorm: BatchNorm
  /// Leaves the block out in training, for some images; `nil` if there is no way around it.
  public let depthDrop: StochasticDepth?
  /// Only training leaves blocks out.
  public var mode = Mode.training
  private let isResidual: Bool

  /// The sizes of a block.
  struct Sizes {
    var inputs: Int
    var outputs: Int
    var kernel: Int
    var stride: Int
    var expansion: Int
  }

  /// A block with random weights.
  ///
  /// - Parameters:
  ///   - sizes: Its sizes.
  ///   - dropping: How often it is left out in training.
  ///   - generator: Draws the first values.
  /// - Throws: `TensorError` if memory or a size does not allow it.
  init(_ sizes: Sizes, dropping: Double, using generator: Generator) throws {
    let (inputs, outputs) = (sizes.inputs, sizes.outputs)
    let inner = inputs * sizes.expansion
    func pointwise(_ from: Int, _ to: Int, hasBias: Bool = false) throws -> Conv2d {
      try Conv2d(
        from,
        to,
        kernel: 1,
        hasBias: hasBias,
        initializer: EfficientNet.initializer,
        using: generator
      )
    }
    expand = sizes.expansion > 1 ? try pointwise(inputs, inner) : nil
    expandNorm = sizes.expansion > 1 ? try EfficientNet.norm(inner) : nil
    depthwise = try Conv2d(
      inner,
      inner,
      kernel: Extent(sizes.kernel),
      stride: Extent(sizes.stride),
      padding: Extent(sizes.kernel / 2),
      groups: inner,
      hasBias: false,
      initializer: EfficientNet.initializer,
      using: generator
    )
    depthwiseNorm = try EfficientNet.norm(inner)
    // A quarter of the block's input, not of what it is widened to.
    let few = max(1, inputs / 4)
    squeeze = try pointwise(inner, few, hasBias: true)
    excite = try pointwise(few, inner, hasBias: true)
    project = try pointwise(inner, outputs)
    projectNorm = try EfficientNet.norm(outputs)
    isResidual = sizes.stride == 1 && inputs == outputs
    depthDrop =
      isResidual && dropping > 0 ? try StochasticDepth(dropping, using: generator) : nil
  }

  /// The block's output.
  ///
  /// - Parameter x: `[batch, inputs, height, width]`.
  /// - Returns: `[batch, outputs, ⌈height / stride⌉, ⌈width / stride⌉]`.
  /// - Throws: `TensorError` if the shapes do not fit.
  public func callAsFunction(_ x: Tensor) throws -> Tensor {
    var h = x
    if let expand, let expandNorm { h = try silu(expandNorm(expand(h))) }
    h = try silu(depthwiseNorm(depthwise(h)))
    let means = try h.mean(along: 2, 3, keepingDimensions: true)
    h = try h * sigmoid(excite(silu(squeeze(means))))
    h = try projectNorm(project(h))
    guard isResidual else { return h }
    if let depthDrop { h = try depthDrop(h) }
    return try x + h
  }
}
