internal import CTessera

// @unchecked Sendable: the handle is immutable, and no public operation writes to the memory it refers to. The one
// exception is `Parameter` and `Buffer`, which are not Sendable and document what their `value` shares.
/// An array of numbers with a shape, a dtype and a device.
///
/// A tensor is a value: no operation changes one, and `x += y` makes a new one. Two tensors may share memory (views do),
/// which nobody can observe. Operations throw ``TensorError``; one `try` covers a whole expression:
///
///     let x = try Tensor([1, 2, 3] as [Float])
///     let y = try (x * 2 + 1).mean()
///
/// The `description` holds shape and dtype, never elements, so that a log line cannot leak data.
public struct Tensor: @unchecked Sendable {
  let handle: TensorHandle

  @inline(__always)
  init(owning pointer: OpaquePointer) {
    handle = TensorHandle(pointer)
  }

  @inline(__always)
  var pointer: OpaquePointer { handle.pointer }

  /// Whether both are one tensor, as copies of a value are.
  package func isSameTensor(as other: Tensor) -> Bool { handle === other.handle }
}

/// Owns one reference to LibTorch's tensor.
final class TensorHandle {
  let pointer: OpaquePointer

  @inline(__always)
  init(_ pointer: OpaquePointer) {
    self.pointer = pointer
  }

  deinit { tessera_release(pointer) }
}

extension Tensor {
  /// The size of each dimension; empty for a single number.
  public var shape: [Int] {
    withExtendedLifetime(handle) {
      (0..<tessera_rank(pointer)).map { tessera_size(pointer, $0) }
    }
  }

  /// The number of dimensions.
  public var rank: Int { withExtendedLifetime(handle) { tessera_rank(pointer) } }

  /// The number of elements.
  public var count: Int { withExtendedLifetime(handle) { tessera_count(pointer) } }

  /// The type of the elements.
  ///
  /// Quantised and other rare types that ``DType`` does not name read as `uint8`; Tessera makes none.
  public var dtype: DType {
    withExtendedLifetime(handle) { DType(code: tessera_dtype(pointer)) ?? .uint8 }
  }

  /// Where the elements live.
  public var device: Device {
    withExtendedLifetime(handle) { Device(code: tessera_device(pointer)) }
  }

  /// Whether operations on this tensor are recorded for gradients.
  public var requiresGradient: Bool {
    withExtendedLifetime(handle) { tessera_requires_grad(pointer) }
  }

  /// The step between neighbours along each dimension, in elements.
  public var strides: [Int] {
    withExtendedLifetime(handle) {
      (0..<tessera_rank(pointer)).map { tessera_stride(pointer, $0) }
    }
  }

  /// Whether the elements lie in memory in the order of `layout`.
  public func isContiguous(as layout: MemoryLayoutOrder = .rowMajor) -> Bool {
    withExtendedLifetime(handle) { tessera_is_contiguous(pointer, layout.code) }
  }
}

extension Tensor: CustomStringConvertible {
  /// Shape and dtype, as `[2, 3] float32`.
  public var description: String { "\(shape) \(dtype)\(device == .cpu ? "" : " on \(device)")" }
}

/// The order in which a tensor's dimensions lie in memory.
public enum MemoryLayoutOrder: Hashable, Sendable {
  /// The last dimension varies fastest.
  case rowMajor
  /// For `[batch, channels, height, width]`: channels vary fastest. Convolutions are often faster.
  case channelsLast
  /// For `[batch, channels, depth, height, width]`: channels vary fastest.
  case channelsLast3d

  var code: TesseraLayout {
    switch self {
    case .rowMajor: TESSERA_CONTIGUOUS
    case .channelsLast: TESSERA_CHANNELS_LAST
    case .channelsLast3d: TESSERA_CHANNELS_LAST_3D
    }
  }
}

// The helpers below keep the operands alive across the C call, check the code and take over the result.
extension Tensor {
  typealias Out = UnsafeMutablePointer<OpaquePointer?>

  @inline(__always)
  static func produced(_ body: (Out) -> TesseraCode) throws -> Tensor {
    var result: OpaquePointer?
    let code = body(&result)
    guard code == TESSERA_OK, let result else { throw TensorError(code) }
    return Tensor(owning: result)
  }

  @inline(__always)
  func mapped(_ operation: (OpaquePointer, Out) -> TesseraCode) throws -> Tensor {
    try withExtendedLifetime(handle) { try Tensor.produced { operation(pointer, $0) } }
  }

  @inline(__always)
  func mapped(
    with other: Tensor,
    _ operation: (OpaquePointer, OpaquePointer, Out) -> TesseraCode
  ) throws -> Tensor {
    try withExtendedLifetime((handle, other.handle)) {
      try Tensor.produced { operation(pointer, other.pointer, $0) }
    }
  }

  /// The C form of optional tensors and lists, alive during `body`.
  static func withPointers<Result>(
    _ tensors: [Tensor?],
    _ body: (UnsafePointer<OpaquePointer?>) throws -> Result
  ) throws -> Result {
    // An empty array may have no base address; the C side never reads from a list of no elements.
    let pointers = tensors.map { $0?.pointer } + [nil]
    return try withExtendedLifetime(tensors) {
      try pointers.withUnsafeBufferPointer { list in
        guard let base = list.baseAddress else { preconditionFailure("the list ends with nil") }
        return try body(base)
      }
    }
  }
}
