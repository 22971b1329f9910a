internal import CTessera

/// The type of a tensor's elements.
///
/// A run-time value: files and mixed precision decide it late.
public enum DType: String, Hashable, Sendable, CaseIterable {
  /// 8-bit unsigned integer.
  case uint8
  /// 8-bit signed integer.
  case int8
  /// 16-bit signed integer.
  case int16
  /// 32-bit signed integer.
  case int32
  /// 64-bit signed integer.
  case int64
  /// IEEE half precision.
  case float16
  /// Half precision with the range of `float32`.
  case bfloat16
  /// IEEE single precision.
  case float32
  /// IEEE double precision.
  case float64
  /// A pair of `float32`, real and imaginary.
  case complex64
  /// A pair of `float64`, real and imaginary.
  case complex128
  /// True or false, one byte.
  case bool

  /// The size of one element in bytes.
  public var byteCount: Int {
    switch self {
    case .uint8, .int8, .bool: 1
    case .int16, .float16, .bfloat16: 2
    case .int32, .float32: 4
    case .int64, .float64, .complex64: 8
    case .complex128: 16
    }
  }

  /// Whether elements are real numbers with a fraction.
  public var isFloatingPoint: Bool {
    switch self {
    case .float16, .bfloat16, .float32, .float64: true
    default: false
    }
  }

  /// Whether elements are pairs of a real and an imaginary part.
  public var isComplex: Bool { self == .complex64 || self == .complex128 }

  /// Whether elements are whole numbers.
  ///
  /// `bool` is not one.
  public var isInteger: Bool {
    switch self {
    case .uint8, .int8, .int16, .int32, .int64: true
    default: false
    }
  }
}

extension DType {
  var code: TesseraDType {
    switch self {
    case .uint8: TESSERA_UINT8
    case .int8: TESSERA_INT8
    case .int16: TESSERA_INT16
    case .int32: TESSERA_INT32
    case .int64: TESSERA_INT64
    case .float16: TESSERA_FLOAT16
    case .bfloat16: TESSERA_BFLOAT16
    case .float32: TESSERA_FLOAT32
    case .float64: TESSERA_FLOAT64
    case .complex64: TESSERA_COMPLEX64
    case .complex128: TESSERA_COMPLEX128
    case .bool: TESSERA_BOOL
    }
  }

  init?(code: Int32) {
    guard let found = DType.allCases.first(where: { Int32($0.code.rawValue) == code }) else {
      return nil
    }
    self = found
  }
}

/// A Swift type that tensors can be made from and read as.
public protocol TensorScalar: BitwiseCopyable, Sendable {
  /// The dtype of elements of this type.
  static var dtype: DType { get }
}

extension Float: TensorScalar {
  /// `float32`.
  public static var dtype: DType { .float32 }
}
extension Double: TensorScalar {
  /// `float64`.
  public static var dtype: DType { .float64 }
}
extension Int64: TensorScalar {
  /// `int64`.
  public static var dtype: DType { .int64 }
}
extension Int: TensorScalar {
  /// `int64`.
  public static var dtype: DType { .int64 }
}
extension Int32: TensorScalar {
  /// `int32`.
  public static var dtype: DType { .int32 }
}
extension Int16: TensorScalar {
  /// `int16`.
  public static var dtype: DType { .int16 }
}
extension Int8: TensorScalar {
  /// `int8`.
  public static var dtype: DType { .int8 }
}
extension UInt8: TensorScalar {
  /// `uint8`.
  public static var dtype: DType { .uint8 }
}
extension Bool: TensorScalar {
  /// `bool`.
  public static var dtype: DType { .bool }
}
#if !os(macOS) && !targetEnvironment(macCatalyst)
extension Float16: TensorScalar {
  /// `float16`.
  public static var dtype: DType { .float16 }
}
#endif
