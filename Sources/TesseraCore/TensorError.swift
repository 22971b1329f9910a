internal import CTessera

/// An operation on tensors could not be carried out.
public struct TensorError: Error, Sendable, Hashable {
  /// What went wrong, for code that wants to react.
  public var code: Code
  /// What went wrong, for a person.
  ///
  /// Holds shapes, dtypes and names, never element values.
  public var message: String

  /// Makes an error.
  public init(code: Code, message: String) {
    self.code = code
    self.message = message
  }

  /// The kind of failure.
  ///
  /// A struct, so that a new kind breaks no one.
  public struct Code: Hashable, Sendable, CustomStringConvertible {
    private enum Kind: String {
      case invalidArgument, shapeMismatch, indexOutOfRange, unsupported, outOfMemory, numerical
      case malformedFile, fileSystem, internalFailure
    }
    private var kind: Kind

    /// The name of the kind.
    public var description: String { kind.rawValue }

    /// An argument is outside what the operation allows.
    public static var invalidArgument: Self { Self(kind: .invalidArgument) }
    /// The operands' shapes or dtypes do not fit the operation.
    public static var shapeMismatch: Self { Self(kind: .shapeMismatch) }
    /// An index or a label is outside the tensor it selects from.
    public static var indexOutOfRange: Self { Self(kind: .indexOutOfRange) }
    /// LibTorch has no such operator, or not for this dtype or device.
    public static var unsupported: Self { Self(kind: .unsupported) }
    /// The device has no room for the result; a smaller batch may succeed.
    public static var outOfMemory: Self { Self(kind: .outOfMemory) }
    /// The values make the operation impossible: a singular matrix, a sum that is not finite.
    public static var numerical: Self { Self(kind: .numerical) }
    /// A file is not what its format says; the message names the file and the field.
    public static var malformedFile: Self { Self(kind: .malformedFile) }
    /// The operating system refused to read or write; the message names the file.
    public static var fileSystem: Self { Self(kind: .fileSystem) }
    /// A failure inside LibTorch that none of the other kinds describes.
    public static var internalFailure: Self { Self(kind: .internalFailure) }
  }
}

extension TensorError: CustomStringConvertible {
  /// The message.
  public var description: String { message }
}

extension TensorError {
  /// The failure that LibTorch reported last on this thread.
  @inline(never)
  init(_ code: TesseraCode) {
    let kind: Code =
      switch code {
      case TESSERA_INVALID_ARGUMENT: .invalidArgument
      case TESSERA_SHAPE_MISMATCH: .shapeMismatch
      case TESSERA_INDEX_OUT_OF_RANGE: .indexOutOfRange
      case TESSERA_UNSUPPORTED: .unsupported
      case TESSERA_OUT_OF_MEMORY: .outOfMemory
      case TESSERA_NUMERICAL: .numerical
      default: .internalFailure
      }
    self.init(code: kind, message: String(cString: tessera_last_message()))
  }
}

/// Throws what LibTorch reported, unless `code` says that all went well.
@inline(__always)
func check(_ code: TesseraCode) throws {
  guard code == TESSERA_OK else { throw TensorError(code) }
}
