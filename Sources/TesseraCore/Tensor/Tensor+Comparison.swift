internal import CTessera

// Comparisons are methods, so that `==` is never element-wise.
extension Tensor {
  /// Where each element equals the other, as `bool`.
  public func equals(_ other: Tensor) throws -> Tensor { try mapped(with: other, tessera_eq) }

  /// Where each element equals the other, as `bool`.
  public func equals(_ other: Double) throws -> Tensor {
    try mapped { tessera_eq_scalar($0, TesseraScalar(other), $1) }
  }

  /// Where each element equals the other, as `bool`.
  public func equals(_ other: Int) throws -> Tensor {
    try mapped { tessera_eq_scalar($0, TesseraScalar(other), $1) }
  }

  /// Where each element differs from the other, as `bool`.
  public func differs(from other: Tensor) throws -> Tensor { try mapped(with: other, tessera_ne) }

  /// Where each element differs from the other, as `bool`.
  public func differs(from other: Double) throws -> Tensor {
    try mapped { tessera_ne_scalar($0, TesseraScalar(other), $1) }
  }

  /// Where each element differs from the other, as `bool`.
  public func differs(from other: Int) throws -> Tensor {
    try mapped { tessera_ne_scalar($0, TesseraScalar(other), $1) }
  }

  /// Where each element is less than the other, as `bool`.
  public func isLess(than other: Tensor) throws -> Tensor { try mapped(with: other, tessera_lt) }

  /// Where each element is less than the other, as `bool`.
  public func isLess(than other: Double) throws -> Tensor {
    try mapped { tessera_lt_scalar($0, TesseraScalar(other), $1) }
  }

  /// Where each element is less than the other, as `bool`.
  public func isLess(than other: Int) throws -> Tensor {
    try mapped { tessera_lt_scalar($0, TesseraScalar(other), $1) }
  }

  /// Where each element is less than or equal to the other, as `bool`.
  public func isAtMost(_ other: Tensor) throws -> Tensor { try mapped(with: other, tessera_le) }

  /// Where each element is less than or equal to the other, as `bool`.
  public func isAtMost(_ other: Double) throws -> Tensor {
    try mapped { tessera_le_scalar($0, TesseraScalar(other), $1) }
  }

  /// Where each element is less than or equal to the other, as `bool`.
  public func isAtMost(_ other: Int) throws -> Tensor {
    try mapped { tessera_le_scalar($0, TesseraScalar(other), $1) }
  }

  /// Where each element is greater than the other, as `bool`.
  public func isGreater(than other: Tensor) throws -> Tensor { try mapped(with: other, tessera_gt) }

  /// Where each element is greater than the other, as `bool`.
  public func isGreater(than other: Double) throws -> Tensor {
    try mapped { tessera_gt_scalar($0, TesseraScalar(other), $1) }
  }

  /// Where each element is greater than the other, as `bool`.
  public func isGreater(than other: Int) throws -> Tensor {
    try mapped { tessera_gt_scalar($0, TesseraScalar(other), $1) }
  }

  /// Where each element is greater than or equal to the other, as `bool`.
  public func isAtLeast(_ other: Tensor) throws -> Tensor { try mapped(with: other, tessera_ge) }

  /// Where each element is greater than or equal to the other, as `bool`.
  public func isAtLeast(_ other: Double) throws -> Tensor {
    try mapped { tessera_ge_scalar($0, TesseraScalar(other), $1) }
  }

  /// Where each element is greater than or equal to the other, as `bool`.
  public func isAtLeast(_ other: Int) throws -> Tensor {
    try mapped { tessera_ge_scalar($0, TesseraScalar(other), $1) }
  }

  /// Where both are true.
  public func and(_ other: Tensor) throws -> Tensor { try mapped(with: other, tessera_logical_and) }

  /// Where at least one is true.
  public func or(_ other: Tensor) throws -> Tensor { try mapped(with: other, tessera_logical_or) }

  /// Where exactly one is true.
  public func xor(_ other: Tensor) throws -> Tensor { try mapped(with: other, tessera_logical_xor) }

  /// True where false, and false where true.
  public func not() throws -> Tensor { try mapped(tessera_logical_not) }

  /// Where elements are not numbers.
  public func isNaN() throws -> Tensor { try mapped(tessera_isnan) }

  /// Where elements are infinite.
  public func isInfinite() throws -> Tensor { try mapped(tessera_isinf) }

  /// Where elements are neither infinite nor NaN.
  public func isFinite() throws -> Tensor { try mapped(tessera_isfinite) }

  /// Whether every pair of elements is equal, or finite and at most `absolute + relative · |other|` apart.
  ///
  /// NaN is close to nothing. Shapes broadcast; all dtypes are compared as `float64` or `complex128`.
  public func isClose(
    to other: Tensor,
    relative: Double = 1e-5,
    absolute: Double = 1e-8
  ) throws -> Bool {
    // Differences of `uint8` would wrap, and those of `bool` do not exist.
    let wide: DType = dtype.isComplex || other.dtype.isComplex ? .complex128 : .float64
    return try Tensor.call(
      "aten::allclose",
      .tensor(to(wide)),
      .tensor(other.to(wide)),
      .double(relative),
      .double(absolute)
    ).single().item() == 1
  }
}

/// The elements of `a` where `condition` holds, of `b` elsewhere.
public func select(where condition: Tensor, _ a: Tensor, else b: Tensor) throws -> Tensor {
  try withExtendedLifetime((condition.handle, a.handle, b.handle)) {
    try Tensor.produced { tessera_where(condition.pointer, a.pointer, b.pointer, $0) }
  }
}
