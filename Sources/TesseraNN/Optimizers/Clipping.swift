public import TesseraCore

extension [Tensor] {
  /// Gradients scaled down together so that their common Euclidean norm is at most `limit` (Pascanu et al., 2013).
  ///
  /// Gradients that are not finite do not become so: check the norm where that can happen.
  ///
  /// - Returns: The gradients, and the norm they had.
  /// - Throws: ``TensorError`` with code ``TensorError/Code/invalidArgument`` if the limit is below 0.
  public func clipped(toNorm limit: Double) throws -> (gradients: [Tensor], norm: Double) {
    guard limit >= 0 else {
      throw TensorError(code: .invalidArgument, message: "a norm of \(limit) cannot be reached")
    }
    let norm = try totalNorm()
    guard norm > limit else { return (self, norm) }
    // The small number is PyTorch's, so that results agree.
    return (try scaled(by: limit / (norm + 1e-6)), norm)
  }

  /// Gradients with every element within `±limit`.
  public func clipped(toValue limit: Double) throws -> [Tensor] {
    try map { try $0.clamped(from: -limit, to: limit) }
  }
}
