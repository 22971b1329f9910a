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
  ///
  /// - Parameters:
  ///   - memory: Where the elements begin, in row-major order.
  ///   - owner: Is let go of with the tensor's last view.
  ///   - kind: What the memory is, which says what ``giveBackPages(of:)`` may do.
  ///   - shape: The tensor's shape.
  ///   - dtype: The type of the elements.
  /// - Throws: ``TensorError`` if the shape does not fit.
  package init(
    memory: UnsafeRawPointer,
    owner: AnyObject,
    kind: MemoryKind = .plain,
    shape: [Int],
    dtype: DType
  ) throws {
    let context = Unmanaged.passRetained(owner)
    do {
      self = try Tensor.produced { out in
        tessera_from_memory(
          memory,
          shape,
          shape.count,
          dtype.code,
          kind.code,
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

  /// A tensor with one whole number everywhere, exact in `int64`.
  public static func full(
    _ value: Int,
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

  /// Zeros of the shape, dtype and device of another tensor.
  public static func zeros(like other: Tensor) throws -> Tensor {
    try zeros(other.shape, dtype: other.dtype, on: other.device)
  }

  /// Ones of the shape, dtype and device of another tensor.
  public static func ones(like other: Tensor) throws -> Tensor {
    try ones(other.shape, dtype: other.dtype, on: other.device)
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
