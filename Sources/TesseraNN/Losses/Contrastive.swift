public import TesseraCore

/// Contrastive softmax over a batch of pairs, in both directions (Jia et al., 2021; Jain et al., 2021).
///
/// Row *i* of one side belongs to row *i* of the other, and all other rows are negatives:
/// `½ · (CE(a·bᵀ / temperature, i) + CE(b·aᵀ / temperature, i))`.
///
/// - Parameters:
///   - a: `[batch, width]`, rows of length 1.
///   - b: `[batch, width]`, rows of length 1.
///   - temperature: A number above 0, usually learned: of rank 0.
///   - smoothing: Label smoothing.
/// - Returns: The loss, of rank 0.
/// - Throws: ``TensorError`` with code ``TensorError/Code/shapeMismatch`` if the shapes differ.
public func contrastive(
  _ a: Tensor,
  _ b: Tensor,
  temperature: Tensor,
  smoothing: Double = 0
) throws -> Tensor {
  guard a.shape == b.shape, a.rank == 2 else {
    throw TensorError(
      code: .shapeMismatch,
      message: "pairs need two tensors of one shape [batch, width], got \(a.shape) and \(b.shape)"
    )
  }
  let similarity = try a.matmul(b.transposed()) / temperature
  let pairs = try Tensor.range(0..<a.shape[0], on: a.device)
  let forward = try crossEntropy(similarity, pairs, smoothing: smoothing)
  let backward = try crossEntropy(similarity.transposed(), pairs, smoothing: smoothing)
  return try (forward + backward) * 0.5
}
