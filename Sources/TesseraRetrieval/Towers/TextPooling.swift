public import TesseraCore

/// How the vectors of a text's tokens become one.
public enum TextPooling: String, Sendable, Hashable, Codable, CaseIterable {
  /// That of the first token, `[CLS]` (Devlin et al., 2019).
  case first
  /// Their mean (Reimers and Gurevych, 2019).
  case mean

  /// One vector for each text.
  ///
  /// - Parameters:
  ///   - vectors: `[batch, length, width]`.
  ///   - mask: True where there is a token, `[batch, length]`.
  /// - Returns: `[batch, width]`.
  /// - Throws: `TensorError` if the shapes do not fit.
  public func callAsFunction(_ vectors: Tensor, mask: Tensor) throws -> Tensor {
    switch self {
    case .first: return try vectors.slice(at: 0, along: 1)
    case .mean:
      let weights = try mask.to(vectors.dtype).unsqueezed(-1)
      return try (vectors * weights).sum(along: 1) / weights.sum(along: 1).clamped(from: 1e-9)
    }
  }
}

extension Tensor {
  /// Rows of length 1.
  ///
  /// - Returns: Of the same shape; a row of zeros stays one.
  /// - Throws: `TensorError` if there is no last dimension.
  public func normalizedRows() throws -> Tensor {
    try self / norm(along: -1, keepingDimensions: true).clamped(from: 1e-12)
  }
}
