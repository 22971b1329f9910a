internal import TesseraCore

/// Elements as floating-point numbers of 16 bits.
struct HalfCode {
  /// `float16` or `bfloat16`.
  let dtype: DType

  /// The nearest numbers to finite elements, or either neighbour if a generator draws which; infinite where none is near.
  func codes(of tensor: Tensor, rounding generator: Generator?) throws -> Tensor {
    guard let generator else { return try tensor.to(dtype) }
    let pieces = try tensor.pieces().map { try neighbours(of: $0, generator) }
    return try concatenate(pieces).reshaped(to: tensor.shape)
  }

  private func neighbours(of x: Tensor, _ generator: Generator) throws -> Tensor {
    let nearest = try x.to(dtype)
    // Beyond the largest number, the caller is told so by infinities, as without a choice.
    guard try nearest.holdsOnlyFinite() else { return nearest }
    let isBeyond = try abs(nearest.to(x.dtype)).isGreater(than: abs(x))
    // Sign and magnitude lie apart in the bits: one more is the next larger magnitude, of either sign.
    let bits = try Self.view(nearest, as: .int16)
    let inner = try bits - isBeyond.to(.int16)
    let outer = try inner + 1
    let low = try abs(Self.view(inner, as: dtype).to(x.dtype))
    let high = try abs(Self.view(outer, as: dtype).to(x.dtype))
    let share = try (abs(x) - low) / (high - low)
    let chance = try Tensor.uniform(x.shape, dtype: x.dtype, using: generator)
    return try Self.view(
      select(where: share.isGreater(than: chance), outer, else: inner),
      as: dtype
    )
  }

  private static func view(_ tensor: Tensor, as dtype: DType) throws -> Tensor {
    try Tensor.call("aten::view.dtype", .tensor(tensor), .dtype(dtype)).single()
  }
}
