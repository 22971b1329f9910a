public import TesseraCore

/// Batch normalisation over all dimensions but the second, of `[batch, channels, …]` (Ioffe and Szegedy, 2015).
public final class BatchNorm: Layer, ModeDependent {
  /// `[channels]`, one at first.
  public let weight: Parameter
  /// `[channels]`, zero at first.
  public let bias: Parameter
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
  public init(_ channels: Int, momentum: Double = 0.1, epsilon: Double = 1e-5) throws {
    weight = try Parameter(.ones([channels]))
    bias = try Parameter(.zeros([channels]))
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
        weight: weight.value,
        bias: bias.value,
        momentum: momentum,
        epsilon: epsilon
      )
    case .evaluation:
      try x.batchNormalized(
        mean: runningMean.value,
        variance: runningVariance.value,
        weight: weight.value,
        bias: bias.value,
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
  /// `[channels]`.
  public let weight: Parameter
  /// `[channels]`.
  public let bias: Parameter
  /// Added to the variance.
  public let epsilon: Double

  /// A layer for a number of channels, which `groups` divides.
  public init(groups: Int, channels: Int, epsilon: Double = 1e-5) throws {
    self.groups = groups
    weight = try Parameter(.ones([channels]))
    bias = try Parameter(.zeros([channels]))
    self.epsilon = epsilon
  }

  /// The layer's output, of the input's shape.
  public func callAsFunction(_ x: Tensor) throws -> Tensor {
    try x.groupNormalized(
      groups: groups,
      weight: weight.value,
      bias: bias.value,
      epsilon: epsilon
    )
  }
}

/// Normalisation over the last dimensions (Ba et al., 2016).
public final class LayerNorm: Layer {
  /// The sizes of the dimensions to normalise over.
  public let shape: [Int]
  /// Of that shape.
  public let weight: Parameter
  /// Of that shape.
  public let bias: Parameter
  /// Added to the variance.
  public let epsilon: Double

  /// A layer over the last dimensions, of the given sizes.
  public init(_ shape: Int..., epsilon: Double = 1e-5) throws {
    self.shape = shape
    weight = try Parameter(.ones(shape))
    bias = try Parameter(.zeros(shape))
    self.epsilon = epsilon
  }

  /// The layer's output, of the input's shape.
  public func callAsFunction(_ x: Tensor) throws -> Tensor {
    try x.layerNormalized(over: shape, weight: weight.value, bias: bias.value, epsilon: epsilon)
  }
}
