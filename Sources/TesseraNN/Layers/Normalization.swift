public import TesseraCore

/// Batch normalisation over all dimensions but the second, of `[batch, channels, …]` (Ioffe and Szegedy, 2015).
public final class BatchNorm: Layer, ModeDependent {
  /// `[channels]`, one at first.
  public let weight: Parameter?
  /// `[channels]`, zero at first.
  public let bias: Parameter?
  /// The mean that evaluation uses, `[channels]`.
  public let runningMean: Buffer
  /// The variance that evaluation uses, `[channels]`.
  public let runningVariance: Buffer
  /// The weight of a new batch in the running statistics.
  public let momentum: Double
  /// Added to the variance.
  public let epsilon: Double
  /// In training the batch's statistics are used, and the running ones move.
  public var mode = Mode.training

  /// A layer for a number of channels.
  ///
  /// - Parameters:
  ///   - channels: Channels of the input.
  ///   - isAffine: Whether the result is scaled and shifted by learned numbers.
  ///   - momentum: The weight of a new batch in the running statistics.
  ///   - epsilon: Added to the variance.
  /// - Throws: `TensorError` if memory or a size does not allow it.
  public init(
    _ channels: Int,
    isAffine: Bool = true,
    momentum: Double = 0.1,
    epsilon: Double = 1e-5
  ) throws {
    weight = isAffine ? try Parameter(.ones([channels])) : nil
    bias = isAffine ? try Parameter(.zeros([channels])) : nil
    runningMean = try Buffer(.zeros([channels]))
    runningVariance = try Buffer(.ones([channels]))
    self.momentum = momentum
    self.epsilon = epsilon
  }

  /// The layer's output.
  ///
  /// - Parameter x: `[batch, channels, …]`; in training with more than one value per channel.
  /// - Returns: The normalised input, of its shape.
  /// - Throws: `TensorError` if the shapes do not fit.
  public func callAsFunction(_ x: Tensor) throws -> Tensor {
    switch mode {
    case .training:
      try x.batchNormalized(
        updating: runningMean.value,
        runningVariance.value,
        weight: weight?.value,
        bias: bias?.value,
        momentum: momentum,
        epsilon: epsilon
      )
    case .evaluation:
      try x.batchNormalized(
        mean: runningMean.value,
        variance: runningVariance.value,
        weight: weight?.value,
        bias: bias?.value,
        epsilon: epsilon
      )
    }
  }
}

/// Normalisation of each channel of each sample of `[batch, channels, …spatial]` (Ulyanov et al., 2016).
public final class InstanceNorm: Layer {
  /// `[channels]`.
  public let weight: Parameter?
  /// `[channels]`.
  public let bias: Parameter?
  /// Added to the variance.
  public let epsilon: Double

  /// A layer for a number of channels.
  ///
  /// - Parameters:
  ///   - channels: Channels of the input.
  ///   - isAffine: Whether the result is scaled and shifted by learned numbers.
  ///   - epsilon: Added to the variance.
  /// - Throws: `TensorError` if memory or a size does not allow it.
  public init(_ channels: Int, isAffine: Bool = false, epsilon: Double = 1e-5) throws {
    weight = isAffine ? try Parameter(.ones([channels])) : nil
    bias = isAffine ? try Parameter(.zeros([channels])) : nil
    self.epsilon = epsilon
  }

  /// The layer's output, of the input's shape.
  public func callAsFunction(_ x: Tensor) throws -> Tensor {
    try x.instanceNormalized(weight: weight?.value, bias: bias?.value, epsilon: epsilon)
  }
}

/// Normalisation of groups of channels of each sample of `[batch, channels, …]` (Wu and He, 2018).
public final class GroupNorm: Layer {
  /// The number of groups.
  public let groups: Int
  /// `[channels]`, one at first.
  public let weight: Parameter?
  /// `[channels]`, zero at first.
  public let bias: Parameter?
  /// Added to the variance.
  public let epsilon: Double

  /// A layer for a number of channels, which `groups` divides.
  ///
  /// - Parameters:
  ///   - groups: The number of groups.
  ///   - channels: Channels of the input.
  ///   - isAffine: Whether the result is scaled and shifted by learned numbers.
  ///   - epsilon: Added to the variance.
  /// - Throws: `TensorError` if memory or a size does not allow it.
  public init(
    groups: Int,
    channels: Int,
    isAffine: Bool = true,
    epsilon: Double = 1e-5
  ) throws {
    self.groups = groups
    weight = isAffine ? try Parameter(.ones([channels])) : nil
    bias = isAffine ? try Parameter(.zeros([channels])) : nil
    self.epsilon = epsilon
  }

  /// The layer's output, of the input's shape.
  public func callAsFunction(_ x: Tensor) throws -> Tensor {
    try x.groupNormalized(
      groups: groups,
      weight: weight?.value,
      bias: bias?.value,
      epsilon: epsilon
    )
  }
}

/// Normalisation over the last dimensions (Ba et al., 2016).
public final class LayerNorm: Layer {
  /// The sizes of the dimensions to normalise over.
  public let shape: [Int]
  /// Of that shape, one at first.
  public let weight: Parameter?
  /// Of that shape, zero at first.
  public let bias: Parameter?
  /// Added to the variance.
  public let epsilon: Double

  /// A layer over the last dimensions.
  ///
  /// - Parameters:
  ///   - shape: The sizes of the dimensions.
  ///   - isAffine: Whether the result is scaled and shifted by learned numbers.
  ///   - epsilon: Added to the variance.
  /// - Throws: `TensorError` if memory or a size does not allow it.
  public init(_ shape: [Int], isAffine: Bool = true, epsilon: Double = 1e-5) throws {
    self.shape = shape
    weight = isAffine ? try Parameter(.ones(shape)) : nil
    bias = isAffine ? try Parameter(.zeros(shape)) : nil
    self.epsilon = epsilon
  }

  /// A layer over the last dimensions, of the given sizes.
  public convenience init(_ shape: Int..., isAffine: Bool = true, epsilon: Double = 1e-5) throws {
    try self.init(shape, isAffine: isAffine, epsilon: epsilon)
  }

  /// The layer's output, of the input's shape.
  public func callAsFunction(_ x: Tensor) throws -> Tensor {
    try x.layerNormalized(over: shape, weight: weight?.value, bias: bias?.value, epsilon: epsilon)
  }
}
