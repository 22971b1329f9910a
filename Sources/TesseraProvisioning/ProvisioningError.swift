/// A federation's keys, certificates or kits could not be made, or are not what they should be.
public struct ProvisioningError: Error, Sendable, Hashable, CustomStringConvertible {
  /// What went wrong, for code that wants to react.
  public var code: Code
  /// What went wrong, for a person: names files and participants, never keys.
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
      case invalidName
      case notAllowed
      case alreadyThere
      case cannotRead
      case cannotWrite
      case malformed
      case altered
      case untrusted
      case expired
      case revoked
    }
    private var kind: Kind

    /// The name of the kind.
    public var description: String { kind.rawValue }

    /// A name is no name of a participant.
    public static var invalidName: Self { Self(kind: .invalidName) }
    /// What is asked for does not fit what the federation has.
    public static var notAllowed: Self { Self(kind: .notAllowed) }
    /// A file or a participant is there already.
    public static var alreadyThere: Self { Self(kind: .alreadyThere) }
    /// A file cannot be read.
    public static var cannotRead: Self { Self(kind: .cannotRead) }
    /// A file cannot be written.
    public static var cannotWrite: Self { Self(kind: .cannotWrite) }
    /// A file is not of the format it should have.
    public static var malformed: Self { Self(kind: .malformed) }
    /// A file is not what the authority signed.
    public static var altered: Self { Self(kind: .altered) }
    /// A certificate is not the authority's.
    public static var untrusted: Self { Self(kind: .untrusted) }
    /// A certificate's time is over, or has not begun.
    public static var expired: Self { Self(kind: .expired) }
    /// A certificate was revoked.
    public static var revoked: Self { Self(kind: .revoked) }
  }
}
