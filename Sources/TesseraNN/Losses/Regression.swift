public import TesseraCore

/// The squared difference.
///
/// - Parameters:
///   - x: Of any shape.
///   - target: Of that shape.
///   - reduction: Whether to return the mean, the sum or all losses.
/// - Returns: The loss: of rank 0, or of the shape of the input without a reduction.
/// - Throws: `TensorError` if the shapes do not fit.
public func meanSquaredError(
  _ x: Tensor,
  _ target: Tensor,
  reduction: LossReduction = .mean
) throws -> Tensor {
  try x.meanSquaredError(checked(target, like: x), reduction)
}

/// The magnitude of the difference, also called L1 loss.
///
/// - Parameters:
///   - x: Of any shape.
///   - target: Of that shape.
///   - reduction: Whether to return the mean, the sum or all losses.
/// - Returns: The loss: of rank 0, or of the shape of the input without a reduction.
/// - Throws: `TensorError` if the shapes do not fit.
public func meanAbsoluteError(
  _ x: Tensor,
  _ target: Tensor,
  reduction: LossReduction = .mean
) throws -> Tensor {
  try x.meanAbsoluteError(checked(target, like: x), reduction)
}

/// Squared for small differences, linear beyond `delta` (Huber, 1964).
///
/// - Parameters:
///   - x: Of any shape.
///   - target: Of that shape.
///   - delta: Where the two meet.
///   - reduction: Whether to return the mean, the sum or all losses.
/// - Returns: The loss: of rank 0, or of the shape of the input without a reduction.
/// - Throws: `TensorError` if the shapes do not fit.
public func huber(
  _ x: Tensor,
  _ target: Tensor,
  delta: Double = 1,
  reduction: LossReduction = .mean
) throws -> Tensor {
  try x.huber(checked(target, like: x), delta: delta, reduction)
}

/// LibTorch would broadcast a target of another shape, which is never what was meant.
private func checked(_ target: Tensor, like x: Tensor) throws -> Tensor {
  guard target.shape == x.shape else {
    throw TensorError(
      code: .shapeMismatch,
      message: "a target of shape \(target.shape) does not fit a prediction of shape \(x.shape)"
    )
  }
  return target
}
