internal import CTessera

// Operators broadcast as NumPy does, and promote dtypes as PyTorch does: a Swift number never widens a tensor of the
// same kind, so `counts + 1` stays integral and `half * 0.5` stays `float16`.
extension Tensor {
  /// The sum, element by element.
  public static func + (a: Tensor, b: Tensor) throws -> Tensor {
    try a.mapped(with: b, tessera_add)
  }

  /// The sum, element by element.
  public static func + (a: Tensor, b: Double) throws -> Tensor {
    try a.mapped { tessera_add_scalar($0, TesseraScalar(b), $1) }
  }

  /// The sum, element by element.
  public static func + (a: Tensor, b: Int) throws -> Tensor {
    try a.mapped { tessera_add_scalar($0, TesseraScalar(b), $1) }
  }

  /// The sum, element by element.
  public static func + (a: Double, b: Tensor) throws -> Tensor {
    try b + a
  }

  /// The sum, element by element.
  public static func + (a: Int, b: Tensor) throws -> Tensor {
    try b + a
  }

  /// The difference, element by element.
  public static func - (a: Tensor, b: Tensor) throws -> Tensor {
    try a.mapped(with: b, tessera_sub)
  }

  /// The difference, element by element.
  public static func - (a: Tensor, b: Double) throws -> Tensor {
    try a.mapped { tessera_sub_scalar($0, TesseraScalar(b), $1) }
  }

  /// The difference, element by element.
  public static func - (a: Tensor, b: Int) throws -> Tensor {
    try a.mapped { tessera_sub_scalar($0, TesseraScalar(b), $1) }
  }

  /// The difference, element by element.
  public static func - (a: Double, b: Tensor) throws -> Tensor {
    try b.mapped { tessera_rsub_scalar($0, TesseraScalar(a), $1) }
  }

  /// The difference, element by element.
  public static func - (a: Int, b: Tensor) throws -> Tensor {
    try b.mapped { tessera_rsub_scalar($0, TesseraScalar(a), $1) }
  }

  /// The product, element by element.
  public static func * (a: Tensor, b: Tensor) throws -> Tensor {
    try a.mapped(with: b, tessera_mul)
  }

  /// The product, element by element.
  public static func * (a: Tensor, b: Double) throws -> Tensor {
    try a.mapped { tessera_mul_scalar($0, TesseraScalar(b), $1) }
  }

  /// The product, element by element.
  public static func * (a: Tensor, b: Int) throws -> Tensor {
    try a.mapped { tessera_mul_scalar($0, TesseraScalar(b), $1) }
  }

  /// The product, element by element.
  public static func * (a: Double, b: Tensor) throws -> Tensor {
    try b * a
  }

  /// The product, element by element.
  public static func * (a: Int, b: Tensor) throws -> Tensor {
    try b * a
  }

  /// The quotient, element by element; integers become `float32`.
  public static func / (a: Tensor, b: Tensor) throws -> Tensor {
    try a.mapped(with: b, tessera_div)
  }

  /// The quotient, element by element; integers become `float32`.
  public static func / (a: Tensor, b: Double) throws -> Tensor {
    try a.mapped { tessera_div_scalar($0, TesseraScalar(b), $1) }
  }

  /// The quotient, element by element; integers become `float32`.
  public static func / (a: Tensor, b: Int) throws -> Tensor {
    try a.mapped { tessera_div_scalar($0, TesseraScalar(b), $1) }
  }

  /// The quotient, element by element; integers become `float32`.
  public static func / (a: Double, b: Tensor) throws -> Tensor {
    try b.mapped(tessera_reciprocal) * a
  }

  /// The quotient, element by element; integers become `float32`.
  public static func / (a: Int, b: Tensor) throws -> Tensor {
    try b.mapped(tessera_reciprocal) * a
  }

  /// The negated elements.
  public static prefix func - (x: Tensor) throws -> Tensor { try x.mapped(tessera_neg) }

  /// Replaces `a` by `a + b`; the earlier tensor is not changed.
  public static func += (a: inout Tensor, b: Tensor) throws { a = try a + b }

  /// Replaces `a` by `a - b`; the earlier tensor is not changed.
  public static func -= (a: inout Tensor, b: Tensor) throws { a = try a - b }

  /// Replaces `a` by `a * b`; the earlier tensor is not changed.
  public static func *= (a: inout Tensor, b: Tensor) throws { a = try a * b }

  /// Replaces `a` by `a / b`; the earlier tensor is not changed.
  public static func /= (a: inout Tensor, b: Tensor) throws { a = try a / b }

  /// The quotient rounded down, element by element.
  public func floorDivided(by other: Tensor) throws -> Tensor {
    try mapped(with: other, tessera_floor_divide)
  }

  /// What the division rounded down leaves, with the sign of `other`.
  public func remainder(dividingBy other: Tensor) throws -> Tensor {
    try mapped(with: other, tessera_remainder)
  }

  /// Each element to the power of `exponent`.
  public func power(_ exponent: Double) throws -> Tensor {
    try mapped { tessera_pow_scalar($0, TesseraScalar(exponent), $1) }
  }

  /// Each element to the power of the one in `exponent`.
  public func power(_ exponent: Tensor) throws -> Tensor { try mapped(with: exponent, tessera_pow) }

  /// Each element times itself.
  public func squared() throws -> Tensor { try mapped(tessera_square) }

  /// One over each element.
  public func reciprocal() throws -> Tensor { try mapped(tessera_reciprocal) }

  /// The nearest whole numbers, halves to the even one.
  public func rounded() throws -> Tensor { try mapped(tessera_round) }

  /// The elements, none below or above the given bounds.
  ///
  /// Of whole numbers, `low` rounds up and `high` down, and neither leaves the range of the dtype.
  ///
  /// - Throws: ``TensorError`` with code ``TensorError/Code/invalidArgument`` if a bound of whole numbers is NaN.
  public func clamped(from low: Double? = nil, to high: Double? = nil) throws -> Tensor {
    guard low != nil || high != nil else { return self }
    return try mapped { x, out in
      withOptionalPointer(to: low) { low in
        withOptionalPointer(to: high) { high in tessera_clamp(x, low, high, out) }
      }
    }
  }
}

/// A pointer to the number, or null.
@inline(__always)
func withOptionalPointer<Result>(
  to value: Double?,
  _ body: (UnsafePointer<Double>?) -> Result
) -> Result {
  guard var value else { return body(nil) }
  return body(&value)
}

/// The greater of each pair of elements.
public func maximum(_ a: Tensor, _ b: Tensor) throws -> Tensor {
  try a.mapped(with: b, tessera_maximum)
}

/// The lesser of each pair of elements.
public func minimum(_ a: Tensor, _ b: Tensor) throws -> Tensor {
  try a.mapped(with: b, tessera_minimum)
}
