public import TesseraCore

/// Contrastive softmax over a batch of pairs, in both directions (Jia et al., 2021; Jain et al., 2021).
///
/// Row *i* of one side belongs to row *i* of the other, and all other rows are negatives:
/// `½ · (CE((a·bᵀ - margin·I) / temperature, i) + CE((b·aᵀ - margin·I) / temperature, i))`.
///
/// - Parameters:
///   - a: `[batch, width]`, rows of length 1.
///   - b: `[batch, width]`, rows of length 1.
///   - temperature: A number above 0, usually learned: of rank 0.
///   - smoothing: The share of probability that is spread evenly over all rows that count.
///   - margin: What a pair has to be more similar by than the negatives (Yang et al., 2019).
///   - excluded: Which rows are no negatives, `[batch, batch]`, `bool`: true where a row of `a` belongs to another row of `b`, too.
///     The diagonal is not looked at.
/// - Returns: The loss, of rank 0.
/// - Throws: ``TensorError`` with code ``TensorError/Code/shapeMismatch`` if the shapes differ.
public func contrastive(
  _ a: Tensor,
  _ b: Tensor,
  temperature: Tensor,
  smoothing: Double = 0,
  margin: Double = 0,
  excluding excluded: Tensor? = nil
) throws -> Tensor {
  guard a.shape == b.shape, a.rank == 2 else {
    throw TensorError(
      code: .shapeMismatch,
      message: "pairs need two tensors of one shape [batch, width], got \(a.shape) and \(b.shape)"
    )
  }
  let count = a.shape[0]
  if let excluded, excluded.shape != [count, count] {
    throw TensorError(
      code: .shapeMismatch,
      message: "of \(count) pairs, what is excluded has shape \(excluded.shape)"
    )
  }
  var similarity = try a.matmul(b.transposed())
  let isPair = try Tensor.identity(count).moved(to: a.device)
  if margin != 0 { similarity = try similarity - isPair.to(similarity.dtype) * margin }
  let logits = try similarity / temperature
  guard let excluded else {
    let pairs = try Tensor.range(0..<count, on: a.device)
    let forward = try crossEntropy(logits, pairs, smoothing: smoothing)
    let backward = try crossEntropy(logits.transposed(), pairs, smoothing: smoothing)
    return try (forward + backward) * 0.5
  }
  let left = try excluded.and(isPair.equals(0))
  let forward = try maskedEntropy(logits, without: left, smoothing: smoothing)
  let backward = try maskedEntropy(
    logits.transposed(),
    without: left.transposed(),
    smoothing: smoothing
  )
  return try (forward + backward) * 0.5
}

/// Cross-entropy with the diagonal, over the columns of each row that are not left out.
private func maskedEntropy(
  _ logits: Tensor,
  without left: Tensor,
  smoothing: Double
) throws -> Tensor {
  let total = try logits.filled(-.infinity, where: left).logSumExp(
    along: 1,
    keepingDimensions: true
  )
  let losses = try total - logits
  let pairs = try Tensor.range(0..<logits.shape[0], on: logits.device).unsqueezed(1)
  let own = try losses.gatheredElements(pairs, along: 1)
  guard smoothing > 0 else { return try own.mean() }
  let counts = try left.not().to(losses.dtype).sum(along: 1, keepingDimensions: true)
  let spread = try losses.filled(0, where: left).sum(along: 1, keepingDimensions: true) / counts
  return try (own * (1 - smoothing) + spread * smoothing).mean()
}
