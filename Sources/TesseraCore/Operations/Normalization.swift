internal import CTessera

extension Tensor {
  /// Layer normalisation over the last dimensions (Ba et al., 2016).
  ///
  /// - Parameters:
  ///   - shape: The sizes of the dimensions to normalise over.
  ///   - weight: Of that shape.
  ///   - bias: Of that shape.
  ///   - epsilon: Added to the variance.
  /// - Returns: A tensor of the same shape.
  /// - Throws: ``TensorError`` with code ``TensorError/Code/shapeMismatch`` if the shapes do not fit.
  public func layerNormalized(
    over shape: [Int],
    weight: Tensor? = nil,
    bias: Tensor? = nil,
    epsilon: Double = 1e-5
  ) throws -> Tensor {
    try normalized(weight, bias) {
      tessera_layer_norm(pointer, shape, shape.count, $0, $1, epsilon, $2)
    }
  }

  /// Group normalisation of `[batch, channels, …]` (Wu and He, 2018).
  ///
  /// - Parameters:
  ///   - groups: Divides the number of channels.
  ///   - weight: `[channels]`.
  ///   - bias: `[channels]`.
  ///   - epsilon: Added to the variance.
  /// - Returns: A tensor of the same shape.
  /// - Throws: ``TensorError`` with code ``TensorError/Code/shapeMismatch`` if the shapes do not fit.
  public func groupNormalized(
    groups: Int,
    weight: Tensor? = nil,
    bias: Tensor? = nil,
    epsilon: Double = 1e-5
  ) throws -> Tensor {
    try normalized(weight, bias) { tessera_group_norm(pointer, groups, $0, $1, epsilon, $2) }
  }

  /// Instance normalisation of `[batch, channels, …spatial]` (Ulyanov et al., 2016).
  ///
  /// - Parameters:
  ///   - weight: `[channels]`.
  ///   - bias: `[channels]`.
  ///   - epsilon: Added to the variance.
  /// - Returns: A tensor of the same shape.
  /// - Throws: ``TensorError`` with code ``TensorError/Code/shapeMismatch`` if the shapes do not fit.
  public func instanceNormalized(
    weight: Tensor? = nil,
    bias: Tensor? = nil,
    epsilon: Double = 1e-5
  ) throws -> Tensor {
    try normalized(weight, bias) { tessera_instance_norm(pointer, $0, $1, epsilon, $2) }
  }

  private func normalized(
    _ weight: Tensor?,
    _ bias: Tensor?,
    _ operation: (OpaquePointer?, OpaquePointer?, Out) -> TesseraCode
  ) throws -> Tensor {
    try withExtendedLifetime((handle, weight?.handle, bias?.handle)) {
      try Tensor.produced { operation(weight?.pointer, bias?.pointer, $0) }
    }
  }

  /// Batch normalisation of `[batch, channels, …]` with given statistics (Ioffe and Szegedy, 2015).
  ///
  /// - Parameters:
  ///   - mean: `[channels]`.
  ///   - variance: `[channels]`.
  ///   - weight: `[channels]`.
  ///   - bias: `[channels]`.
  ///   - epsilon: Added to the variance.
  /// - Returns: A tensor of the same shape.
  /// - Throws: ``TensorError`` with code ``TensorError/Code/shapeMismatch`` if the shapes do not fit.
  public func batchNormalized(
    mean: Tensor,
    variance: Tensor,
    weight: Tensor? = nil,
    bias: Tensor? = nil,
    epsilon: Double = 1e-5
  ) throws -> Tensor {
    try withExtendedLifetime((mean.handle, variance.handle)) {
      try normalized(weight, bias) {
        tessera_batch_norm(
          pointer,
          $0,
          $1,
          mean.pointer,
          variance.pointer,
          false,
          0,
          epsilon,
          $2
        )
      }
    }
  }

  /// Batch normalisation with the batch's own statistics, which also move the running ones.
  ///
  /// - Parameters:
  ///   - runningMean: `[channels]`; overwritten by `(1 - momentum) · old + momentum · batch's`.
  ///   - runningVariance: `[channels]`; overwritten likewise, with the unbiased variance.
  ///   - weight: `[channels]`.
  ///   - bias: `[channels]`.
  ///   - momentum: The weight of the batch.
  ///   - epsilon: Added to the variance.
  /// - Returns: A tensor of the same shape.
  /// - Throws: ``TensorError`` with code ``TensorError/Code/shapeMismatch`` if the shapes do not fit.
  package func batchNormalized(
    updating runningMean: Tensor?,
    _ runningVariance: Tensor?,
    weight: Tensor?,
    bias: Tensor?,
    momentum: Double,
    epsilon: Double
  ) throws -> Tensor {
    try withExtendedLifetime((runningMean?.handle, runningVariance?.handle)) {
      try normalized(weight, bias) {
        tessera_batch_norm(
          pointer,
          $0,
          $1,
          runningMean?.pointer,
          runningVariance?.pointer,
          true,
          momentum,
          epsilon,
          $2
        )
      }
    }
  }
}
