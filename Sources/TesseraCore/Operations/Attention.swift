internal import CTessera

/// Scaled dot-product attention, `softmax(q·kᵀ · scale + mask) · v` (Vaswani et al., 2017).
///
/// - Parameters:
///   - query: `[batch, heads, queries, width]`.
///   - key: `[batch, heads, keys, width]`.
///   - value: `[batch, heads, keys, valueWidth]`.
///   - mask: Broadcasts to `[batch, heads, queries, keys]`; `bool`, true where attention is allowed, or numbers to add.
///   - isCausal: Whether a query sees only keys at its own and earlier positions.
///   - scale: The factor before the softmax. `1/√width` if `nil`.
/// - Returns: `[batch, heads, queries, valueWidth]`, in the dtype of `query`.
/// - Throws: ``TensorError`` with code ``TensorError/Code/shapeMismatch`` if the shapes do not agree.
/// - Complexity: O(*queries* · *keys* · *width*) per head.
public func attention(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  mask: Tensor? = nil,
  isCausal: Bool = false,
  scale: Double? = nil
) throws -> Tensor {
  var (mask, isCausal) = (mask, isCausal)
  if let given = mask, isCausal {
    // LibTorch's kernel takes a mask or causality, not both.
    guard query.rank >= 2, key.rank >= 2 else {
      throw TensorError(
        code: .shapeMismatch,
        message: "attention needs at least 2 dimensions, got \(query.shape) and \(key.shape)"
      )
    }
    let shape = [query.shape[query.rank - 2], key.shape[key.rank - 2]]
    let earlier = try Tensor.ones(shape, on: query.device).lowerTriangle().to(.bool)
    mask =
      given.dtype == .bool
      ? try given.and(earlier) : try given.filled(-.infinity, where: earlier.not())
    isCausal = false
  }
  return try withExtendedLifetime((query.handle, key.handle, value.handle, mask?.handle)) {
    try Tensor.produced { out in
      withOptionalPointer(to: scale) {
        tessera_attention(
          query.pointer,
          key.pointer,
          value.pointer,
          mask?.pointer,
          isCausal,
          $0,
          out
        )
      }
    }
  }
}
