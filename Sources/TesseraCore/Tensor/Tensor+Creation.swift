internal import CTessera

extension Tensor {
  /// A tensor of the given elements, in row-major order.
  ///
  /// - Parameters:
  ///   - elements: As many as `shape` holds.
  ///   - shape: `[elements.count]` if `nil`.
  ///   - device: Where the elements are copied to.
  /// - Throws: ``TensorError`` with code ``TensorError/Code/shapeMismatch`` if the count does not fit the shape.
  public init<Scalar: TensorScalar>(
    _ elements: [Scalar],
    shape: [Int]? = nil,
    on device: Device = .cpu
  ) throws {
    let tensor = try elements.withUnsafeBytes {
      try Tensor(bytes: $0, shape: shape ?? [elements.count], dtype: Scalar.dtype)
    }
    self = device == .cpu ? tensor : try tensor.moved(to: device)
  }

  /// A tensor of rank 0.
  public init<Scalar: TensorScalar>(_ element: Scalar, on device: Device = .cpu) throws {
    try self.init([element], shape: [], on: device)
  }

  /// A tensor from the bytes of its elements, in row-major order and native byte order.
  ///
  /// - Throws: ``TensorError`` with code ``TensorError/Code/shapeMismatch`` if the number of bytes does not fit.
  public init(bytes: UnsafeRawBufferPointer, shape: [Int], dtype: DType) throws {
    let expected = try Tensor.byteCount(of: shape, dtype: dtype)
    guard expected == bytes.count else {
      throw TensorError(
        code: .shapeMismatch,
        message: "\(bytes.count) bytes do not make a tensor of shape \(shape) and dtype \(dtype)"
      )
    }
    var placeholder: UInt8 = 0
    self = try withUnsafeBytes(of: &placeholder) { nothing in
      try Tensor.produced { out in
        guard let base = bytes.baseAddress ?? nothing.baseAddress else {
          return TESSERA_INVALID_ARGUMENT
        }
        return tessera_from_bytes(base, shape, shape.count, dtype.code, out)
      }
    }
  }

  /// The bytes that a tensor of this shape needs, refusing shapes whose size is negative or overflows.
  static func byteCount(of shape: [Int], dtype: DType) throws -> Int {
    var total = dtype.byteCount
    for size in shape {
      let (product, overflow) = total.multipliedReportingOverflow(by: size)
      guard size >= 0, !overflow else {
        throw TensorError(code: .shapeMismatch, message: "\(shape) is not the shape of a tensor")
      }
      total = product
    }
    return total
  }

  /// A tensor over memory that `owner` keeps alive and nobody writes to.
  init(memory: UnsafeRawPointer, owner: AnyObject, shape: [Int], dtype: DType) throws {
    let context = Unmanaged.passRetained(owner)
    do {
      self = try Tensor.produced { out in
        tessera_from_memory(
          memory,
          shape,
          shape.count,
          dtype.code,
          { Unmanaged<AnyObject>.fromOpaque($0).release() },
          context.toOpaque(),
          out
        )
      }
    } catch {
      context.release()
      throw error
    }
  }

  /// A tensor with one value everywhere.
  public static func full(
    _ value: Double,
    shape: [Int],
    dtype: DType = .float32,
    on device: Device = .cpu
  ) throws -> Tensor {
    try produced {
      tessera_full(shape, shape.count, TesseraScalar(value), dtype.code, device.code, $0)
    }
  }

  /// A tensor of zeros.
  public static func zeros(
    _ shape: [Int],
    dtype: DType = .float32,
    on device: Device = .cpu
  ) throws -> Tensor {
    try full(0, shape: shape, dtype: dtype, on: device)
  }

  /// A tensor of ones.
  public static func ones(
    _ shape: [Int],
    dtype: DType = .float32,
    on device: Device = .cpu
  ) throws -> Tensor {
    try full(1, shape: shape, dtype: dtype, on: device)
  }

  /// The whole numbers of a range, as `int64`.
  public static func range(_ range: Range<Int>, on device: Device = .cpu) throws -> Tensor {
    try produced {
      tessera_arange(
        TesseraScalar(range.lowerBound),
        TesseraScalar(range.upperBound),
        TesseraScalar(1),
        TESSERA_INT64,
        device.code,
        $0
      )
    }
  }

  /// `start`, `start + step`, … below `end`.
  public static func range(
    from start: Double,
    to end: Double,
    by step: Double,
    dtype: DType = .float32
  ) throws -> Tensor {
    try produced {
      tessera_arange(
        TesseraScalar(start),
        TesseraScalar(end),
        TesseraScalar(step),
        dtype.code,
        -1,
        $0
      )
    }
  }

  /// `count` numbers at equal distances, the first `start`, the last `end`.
  public static func linearSpace(
    from start: Double,
    to end: Double,
    count: Int,
    dtype: DType = .float32
  ) throws -> Tensor {
    try call(
      "aten::linspace",
      .double(start),
      .double(end),
      .int(count),
      named: [
        "dtype": .dtype(dtype)
      ]
    ).single()
  }

  /// The `[size, size]` identity matrix.
  public static func identity(_ size: Int, dtype: DType = .float32) throws -> Tensor {
    try call("aten::eye", .int(size), named: ["dtype": .dtype(dtype)]).single()
  }
}

extension TesseraScalar {
  init(_ value: Double) {
    self.init(real: value, integer: 0, is_integer: false)
  }

  init(_ value: Int) {
    self.init(real: 0, integer: value, is_integer: true)
  }
}

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
