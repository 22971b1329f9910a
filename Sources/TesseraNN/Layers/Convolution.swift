public import TesseraCore

/// A convolution over sequences, `[batch, channels, length]`.
public typealias Conv1d = Convolution<Spatial1d>
/// A convolution over images, `[batch, channels, height, width]`.
public typealias Conv2d = Convolution<Spatial2d>
/// A convolution over volumes, `[batch, channels, depth, height, width]`.
public typealias Conv3d = Convolution<Spatial3d>

/// A convolution: each output channel is a sum of learned filters over the input channels.
public final class Convolution<Rank: SpatialRank>: Layer {
  /// `[outputChannels, inputChannels / groups, …kernel]`.
  public let weight: Parameter
  /// `[outputChannels]`.
  public let bias: Parameter?
  /// Stride, padding, dilation and groups.
  public let geometry: ConvolutionGeometry

  /// A layer with random weights.
  ///
  /// - Parameters:
  ///   - inputChannels: Channels of the input.
  ///   - outputChannels: Channels of the output.
  ///   - kernel: The filters' size, one number or one for each spatial dimension.
  ///   - stride: The filters' step.
  ///   - padding: Zeros added on both sides.
  ///   - dilation: The distance between a filter's elements.
  ///   - groups: Divides both numbers of channels.
  ///   - hasBias: Whether there is a bias.
  ///   - initializer: For the weight; even within `±1/√fanIn` if `nil`.
  ///   - generator: Draws the first values.
  /// - Throws: `TensorError` if memory or a size does not allow it.
  public init(
    _ inputChannels: Int,
    _ outputChannels: Int,
    kernel: Extent,
    stride: Extent = 1,
    padding: Extent = 0,
    dilation: Extent = 1,
    groups: Int = 1,
    hasBias: Bool = true,
    initializer: Initializer? = nil,
    using generator: Generator
  ) throws {
    let shape = try filterShape(
      inputChannels,
      outputChannels,
      groups,
      kernel(Rank.count),
      spatial: Rank.count,
      isTransposed: false
    )
    geometry = ConvolutionGeometry(
      stride: stride(Rank.count),
      padding: padding(Rank.count),
      dilation: dilation(Rank.count),
      groups: groups
    )
    let byFanIn = Initializer.fanIn(try product(of: Array(shape.dropFirst())))
    weight = try Parameter((initializer ?? byFanIn)(shape, using: generator))
    bias = hasBias ? try Parameter(byFanIn([outputChannels], using: generator)) : nil
  }

  /// The layer's output.
  ///
  /// - Parameter x: `[batch, inputChannels, …spatial]`.
  /// - Returns: `[batch, outputChannels, …spatial]`.
  /// - Throws: `TensorError` if the shapes do not fit.
  public func callAsFunction(_ x: Tensor) throws -> Tensor {
    try x.convolved(with: weight.value, bias: bias?.value, geometry: geometry)
  }
}

/// A transposed convolution over sequences.
public typealias ConvTranspose1d = TransposedConvolution<Spatial1d>
/// A transposed convolution over images.
public typealias ConvTranspose2d = TransposedConvolution<Spatial2d>
/// A transposed convolution over volumes.
public typealias ConvTranspose3d = TransposedConvolution<Spatial3d>

/// A transposed convolution, which enlarges its input by its stride.
public final class TransposedConvolution<Rank: SpatialRank>: Layer {
  /// `[inputChannels, outputChannels / groups, …kernel]`.
  public let weight: Parameter
  /// `[outputChannels]`.
  public let bias: Parameter?
  /// Stride, padding, dilation and groups.
  public let geometry: ConvolutionGeometry
  /// Added to one side of the output.
  public let outputPadding: [Int]

  /// A layer with random weights.
  ///
  /// - Parameters:
  ///   - inputChannels: Channels of the input.
  ///   - outputChannels: Channels of the output.
  ///   - kernel: The filters' size, one number or one for each spatial dimension.
  ///   - stride: The factor of enlargement.
  ///   - padding: Taken from both sides of the output.
  ///   - outputPadding: Added to one side of the output, where the stride leaves its size open.
  ///   - dilation: The distance between a filter's elements.
  ///   - groups: Divides both numbers of channels.
  ///   - hasBias: Whether there is a bias.
  ///   - initializer: For the weight; even within `±1/√fanIn` if `nil`.
  ///   - generator: Draws the first values.
  /// - Throws: `TensorError` if memory or a size does not allow it.
  public init(
    _ inputChannels: Int,
    _ outputChannels: Int,
    kernel: Extent,
    stride: Extent = 1,
    padding: Extent = 0,
    outputPadding: Extent = 0,
    dilation: Extent = 1,
    groups: Int = 1,
    hasBias: Bool = true,
    initializer: Initializer? = nil,
    using generator: Generator
  ) throws {
    let shape = try filterShape(
      inputChannels,
      outputChannels,
      groups,
      kernel(Rank.count),
      spatial: Rank.count,
      isTransposed: true
    )
    geometry = ConvolutionGeometry(
      stride: stride(Rank.count),
      padding: padding(Rank.count),
      dilation: dilation(Rank.count),
      groups: groups
    )
    self.outputPadding = outputPadding(Rank.count)
    let byFanIn = Initializer.fanIn(try product(of: Array(shape.dropFirst())))
    weight = try Parameter((initializer ?? byFanIn)(shape, using: generator))
    bias = hasBias ? try Parameter(byFanIn([outputChannels], using: generator)) : nil
  }

  /// The layer's output.
  ///
  /// - Parameter x: `[batch, inputChannels, …spatial]`.
  /// - Returns: `[batch, outputChannels, …spatial]`.
  /// - Throws: `TensorError` if the shapes do not fit.
  public func callAsFunction(_ x: Tensor) throws -> Tensor {
    try x.transposeConvolved(
      with: weight.value,
      bias: bias?.value,
      geometry: geometry,
      outputPadding: outputPadding
    )
  }
}

/// The shape of a weight, refusing groups that do not divide the channels and kernels of another rank.
private func filterShape(
  _ inputs: Int,
  _ outputs: Int,
  _ groups: Int,
  _ kernel: [Int],
  spatial: Int,
  isTransposed: Bool
) throws -> [Int] {
  guard groups > 0, inputs % groups == 0, outputs % groups == 0 else {
    throw TensorError(
      code: .invalidArgument,
      message: "\(groups) groups do not divide \(inputs) input and \(outputs) output channels"
    )
  }
  guard kernel.count == spatial else {
    throw TensorError(
      code: .invalidArgument,
      message: "a kernel \(kernel) does not fit \(spatial) spatial dimensions"
    )
  }
  return isTransposed ? [inputs, outputs / groups] + kernel : [outputs, inputs / groups] + kernel
}
