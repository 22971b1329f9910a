/// A run's record could not be read, written or repeated.
public struct RunError: Error, Sendable, Hashable, CustomStringConvertible {
  /// What went wrong, for code that wants to react.
  public var code: Code
  /// What went wrong, for a person.
  ///
  /// Names files and fields.
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
    private enum Kind: String { case notARecord, malformedRecord, cannotWrite, cannotResume, inUse }
    private var kind: Kind

    /// The name of the kind.
    public var description: String { kind.rawValue }

    /// The folder holds no record of a run.
    public static var notARecord: Self { Self(kind: .notARecord) }
    /// A file of the record is damaged; the message names the field.
    public static var malformedRecord: Self { Self(kind: .malformedRecord) }
    /// The system refused to write.
    public static var cannotWrite: Self { Self(kind: .cannotWrite) }
    /// Another process is at work on the run.
    public static var inUse: Self { Self(kind: .inUse) }
    /// The record cannot be gone on with.
    public static var cannotResume: Self { Self(kind: .cannotResume) }
  }
}
