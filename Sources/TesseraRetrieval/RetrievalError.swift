/// Something of a retrieval model, its data or its index cannot be used as asked.
public struct RetrievalError: Error, Sendable, Hashable, CustomStringConvertible {
  /// What went wrong, for code that wants to react.
  public var code: Code
  /// What went wrong, for a person.
  ///
  /// Names files and fields, never what they hold.
  public var message: String

  /// Makes an error.
  public init(code: Code, message: String) {
    self.code = code
    self.message = message
  }

  /// The message.
  public var description: String { message }

  /// The kind of failure.
  ///
  /// A struct, so that a new kind breaks no one.
  public struct Code: Hashable, Sendable, CustomStringConvertible {
    private enum Kind: String {
      case missingFile, malformedFile, invalidArgument, diverged, cannotWrite
      case alreadyThere, notThere, inUse, wrongModel, unavailable
    }
    private var kind: Kind

    /// The name of the kind.
    public var description: String { kind.rawValue }

    /// A file is not there, or cannot be opened.
    public static var missingFile: Self { Self(kind: .missingFile) }
    /// A file is not what its format says.
    public static var malformedFile: Self { Self(kind: .malformedFile) }
    /// A setting is outside what is allowed; the message names it.
    public static var invalidArgument: Self { Self(kind: .invalidArgument) }
    /// The system refuses to write, or something else is in its place.
    public static var cannotWrite: Self { Self(kind: .cannotWrite) }
    /// A store has an entry with such an id.
    public static var alreadyThere: Self { Self(kind: .alreadyThere) }
    /// A store has no entry with such an id.
    public static var notThere: Self { Self(kind: .notThere) }
    /// Another process has it.
    public static var inUse: Self { Self(kind: .inUse) }
    /// An index belongs to another model.
    public static var wrongModel: Self { Self(kind: .wrongModel) }
    /// A server does not answer, or refuses.
    public static var unavailable: Self { Self(kind: .unavailable) }
    /// A loss became infinite, or no number.
    public static var diverged: Self { Self(kind: .diverged) }
  }
}
