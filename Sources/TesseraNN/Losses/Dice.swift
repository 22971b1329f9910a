public import TesseraCore

/// Dice loss, `1 - 2·|p ∩ t| / (|p| + |t|)`, per sample and class, then the mean (Milletari et al., 2016).
///
/// - Parameters:
///   - probabilities: `[batch, classes, …spatial]`, in `0...1`.
///   - target: One-hot, of that shape.
///   - includingBackground: Whether class 0 counts.
///   - smoothing: Added above and below the fraction, so that two empty masks agree.
/// - Returns: The loss, of rank 0.
/// - Throws: ``TensorError`` with code ``TensorError/Code/shapeMismatch`` if the shapes differ or no class is left.
public func dice(
  _ probabilities: Tensor,
  _ target: Tensor,
  includingBackground: Bool = true,
  smoothing: Double = 1e-5
) throws -> Tensor {
  guard probabilities.shape == target.shape, probabilities.rank >= 3 else {
    throw TensorError(
      code: .shapeMismatch,
      message: """
        Dice needs two tensors of one shape [batch, classes, …spatial], got \
        \(probabilities.shape) and \(target.shape)
        """
    )
  }
  guard includingBackground || probabilities.shape[1] > 1 else {
    throw TensorError(
      code: .shapeMismatch,
      message: "without the background, Dice has no class left of shape \(probabilities.shape)"
    )
  }
  var (p, t) = (probabilities, try target.to(probabilities.dtype))
  if !includingBackground {
    p = try p.slices(in: 1..<p.shape[1], along: 1)
    t = try t.slices(in: 1..<t.shape[1], along: 1)
  }
  p = try p.flattened(from: 2)
  t = try t.flattened(from: 2)
  let shared = try (p * t).sum(along: 2)
  let both = try p.sum(along: 2) + t.sum(along: 2)
  return try (1 - (shared * 2 + smoothing) / (both + smoothing)).mean()
}

/// Dice loss of the softmax plus cross-entropy, for segmentation with exclusive classes (Isensee et al., 2021).
///
/// - Parameters:
///   - logits: `[batch, classes, …spatial]`.
///   - labels: `[batch, …spatial]`, `int64`, each in `0..<classes`.
///   - includingBackground: Whether class 0 counts in the Dice part.
///   - diceWeight: The factor of the Dice part.
///   - entropyWeight: The factor of the cross-entropy part.
/// - Returns: The loss, of rank 0.
/// - Throws: ``TensorError`` with code ``TensorError/Code/indexOutOfRange`` if a label is no class, with
///   ``TensorError/Code/shapeMismatch`` if the shapes do not fit.
public func diceCrossEntropy(
  _ logits: Tensor,
  _ labels: Tensor,
  includingBackground: Bool = true,
  diceWeight: Double = 1,
  entropyWeight: Double = 1
) throws -> Tensor {
  let rank = logits.rank
  guard rank >= 3, labels.rank == rank - 1 else {
    throw TensorError(
      code: .shapeMismatch,
      message: """
        Dice with cross-entropy needs [batch, classes, …spatial] and [batch, …spatial], got \
        \(logits.shape) and \(labels.shape)
        """
    )
  }
  let entropy = try crossEntropy(logits, labels)
  let oneHot = try labels.oneHot(classes: logits.shape[1])
    .permuted(to: [0, rank - 1] + Array(1..<rank - 1))
  let overlap = try dice(
    softmax(logits, along: 1),
    oneHot,
    includingBackground: includingBackground
  )
  return try overlap * diceWeight + entropy * entropyWeight
}
