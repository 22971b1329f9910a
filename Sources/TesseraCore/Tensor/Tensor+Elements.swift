internal import CTessera

extension Tensor {
  /// The elements in row-major order.
  ///
  /// - Throws: ``TensorError`` with code ``TensorError/Code/shapeMismatch`` if the dtype is not `Scalar`'s. Convert
  ///   first with ``to(_:)``.
  public func array<Scalar: TensorScalar>(of type: Scalar.Type = Scalar.self) throws -> [Scalar] {
    guard dtype == Scalar.dtype else {
      throw TensorError(
        code: .shapeMismatch,
        message: "a tensor of \(dtype) cannot be read as \(Scalar.dtype)"
      )
    }
    let count = count
    return try [Scalar](unsafeUninitializedCapacity: count) { buffer, initialized in
      if let base = buffer.baseAddress {
        try withExtendedLifetime(handle) {
          try check(tessera_copy_to_bytes(pointer, base, count * MemoryLayout<Scalar>.size))
        }
      }
      initialized = count
    }
  }

  /// The only element of a tensor that has one, as a `Double`.
  public func item() throws -> Double {
    var value = 0.0
    try withExtendedLifetime(handle) { try check(tessera_item(pointer, &value)) }
    return value
  }

  /// The only element of a tensor that has one, as a whole number.
  public func itemAsInteger() throws -> Int {
    var value = 0
    try withExtendedLifetime(handle) { try check(tessera_item_integer(pointer, &value)) }
    return value
  }

  /// Reads the bytes of the elements, in row-major order.
  ///
  /// No copy is made of a row-major tensor on the CPU.
  public func withBytes<Result>(
    _ body: (UnsafeRawBufferPointer) throws -> Result
  ) throws -> Result {
    let plain = try moved(to: .cpu).laidOut(as: .rowMajor)
    return try withExtendedLifetime(plain.handle) {
      let bytes = plain.count * plain.dtype.byteCount
      guard bytes > 0, let base = tessera_data(plain.pointer) else {
        return try body(UnsafeRawBufferPointer(start: nil, count: 0))
      }
      return try body(UnsafeRawBufferPointer(start: base, count: bytes))
    }
  }

  /// Whether shape, dtype and every element are the same.
  ///
  /// NaN differs from itself.
  public func isIdentical(to other: Tensor) throws -> Bool {
    guard shape == other.shape, dtype == other.dtype else { return false }
    var same = false
    try withExtendedLifetime((handle, other.handle)) {
      try check(tessera_equal(pointer, other.pointer, &same))
    }
    return same
  }

  /// The tensor with elements of another dtype; itself if it has that dtype already.
  public func to(_ dtype: DType) throws -> Tensor {
    try mapped { tessera_to_dtype($0, dtype.code, $1) }
  }

  /// The tensor on another device; itself if it is there already.
  public func moved(to device: Device) throws -> Tensor {
    try mapped { tessera_to_device($0, device.code, $1) }
  }

  /// The tensor with its memory in the given order; itself if it is so already.
  public func laidOut(as layout: MemoryLayoutOrder) throws -> Tensor {
    try mapped { tessera_to_layout($0, layout.code, $1) }
  }

  /// A copy that shares no memory and no gradient history with the tensor.
  public func copied() throws -> Tensor { try mapped(tessera_clone) }

  /// The same elements, without the gradient history.
  public func detached() throws -> Tensor { try mapped(tessera_detach) }

  /// The same elements as a new variable whose gradient can be asked for.
  public func asVariable() throws -> Tensor { try mapped { tessera_leaf($0, true, $1) } }
}
