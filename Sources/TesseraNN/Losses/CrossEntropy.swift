public import TesseraCore

/// Cross-entropy of logits and labels, `-log softmax(logits)[label]`.
///
/// - Parameters:
///   - logits: `[batch, classes, …]`.
///   - labels: `[batch, …]`, `int64`, each in `0..<classes`; or probabilities, of the shape of `logits`.
///   - classWeights: `[classes]`, a factor per class.
///   - smoothing: The share of probability spread evenly over all classes (Szegedy et al., 2016).
///   - ignoring: A label whose elements count for nothing.
///   - reduction: Whether to return the mean, the sum or all losses.
/// - Returns: The loss: of rank 0, or of the shape of the labels without a reduction.
/// - Throws: ``TensorError`` with code ``TensorError/Code/indexOutOfRange`` if a label is no class.
public func crossEntropy(
  _ logits: Tensor,
  _ labels: Tensor,
  classWeights: Tensor? = nil,
  smoothing: Double = 0,
  ignoring: Int? = nil,
  reduction: LossReduction = .mean
) throws -> Tensor {
  try logits.crossEntropy(
    labels: labels,
    weight: classWeights,
    reduction: reduction,
    ignoring: ignoring,
    smoothing: smoothing
  )
}

/// Binary cross-entropy of logits, `-(t · log σ(x) + (1 - t) · log(1 - σ(x)))`.
///
/// - Parameters:
///   - logits: Of any shape.
///   - target: Probabilities in `0...1`, of that shape.
///   - weight: A factor per element; broadcasts.
///   - positiveWeight: A factor for the first term; broadcasts.
///   - reduction: Whether to return the mean, the sum or all losses.
/// - Returns: The loss: of rank 0, or of the shape of the input without a reduction.
/// - Throws: `TensorError` if the shapes do not fit.
public func binaryCrossEntropy(
  _ logits: Tensor,
  _ target: Tensor,
  weight: Tensor? = nil,
  positiveWeight: Tensor? = nil,
  reduction: LossReduction = .mean
) throws -> Tensor {
  try logits.binaryCrossEntropy(
    target: target,
    weight: weight,
    positiveWeight: positiveWeight,
    reduction: reduction
  )
}

/// Focal loss: binary cross-entropy that gives less weight to what is already right (Lin et al., 2017, equation 5).
///
/// - Parameters:
///   - logits: Of any shape.
///   - target: 0 or 1, of that shape.
///   - gamma: How strongly easy elements fade; 0 is binary cross-entropy.
///   - alpha: The weight of ones, and `1 - alpha` that of zeros; no weights if `nil`.
///   - reduction: Whether to return the mean, the sum or all losses.
/// - Returns: The loss: of rank 0, or of the shape of the input without a reduction.
/// - Throws: `TensorError` if the shapes do not fit.
public func focal(
  _ logits: Tensor,
  _ target: Tensor,
  gamma: Double = 2,
  alpha: Double? = 0.25,
  reduction: LossReduction = .mean
) throws -> Tensor {
  let entropy = try binaryCrossEntropy(logits, target, reduction: .none)
  let probability = try sigmoid(logits)
  let right = try probability * target + (1 - probability) * (1 - target)
  var losses = try entropy * (1 - right).power(gamma)
  if let alpha { losses = try losses * (target * alpha + (1 - target) * (1 - alpha)) }
  return try losses.reduced(reduction)
}

extension Tensor {
  /// The losses of single elements, combined.
  func reduced(_ reduction: LossReduction) throws -> Tensor {
    switch reduction {
    case .none: self
    case .mean: try mean()
    case .sum: try sum()
    }
  }
}
