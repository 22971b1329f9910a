/// A federated run could not go on, or a site's part in it was refused.
public struct FederationError: Error, Sendable, Hashable, CustomStringConvertible {
  /// What went wrong, for code that wants to react.
  public var code: Code
  /// What went wrong, for a person.
  ///
  /// Names sites, rounds and tensors, never data.
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
      case invalidConfiguration
      case rejectedUpdate
      case tooFewSites
      case limitExceeded
      case badTask
      case cannotResume
      case protocolViolation
      case malformedData
      case budgetExhausted
    }
    private var kind: Kind

    /// The name of the kind.
    public var description: String { kind.rawValue }

    private init(kind: Kind) { self.kind = kind }

    /// The kind of that name, or `nil` if there is none.
    public init?(name: String) {
      guard let kind = Kind(rawValue: name) else { return nil }
      self.kind = kind
    }

    /// A setting is outside what is allowed; the message names it.
    public static var invalidConfiguration: Self { Self(kind: .invalidConfiguration) }
    /// An update does not fit the model, or holds what no model may hold.
    public static var rejectedUpdate: Self { Self(kind: .rejectedUpdate) }
    /// Fewer sites than the minimum gave a usable answer, or a mandatory one did not.
    public static var tooFewSites: Self { Self(kind: .tooFewSites) }
    /// An exchange holds more than is allowed; the message names what.
    public static var limitExceeded: Self { Self(kind: .limitExceeded) }
    /// A task asks for what the site cannot do, or lacks what it needs.
    public static var badTask: Self { Self(kind: .badTask) }
    /// A file of a site's data is not what it should be; the message names the file and the line.
    public static var malformedData: Self { Self(kind: .malformedData) }
    /// What a job left behind does not fit the job.
    public static var cannotResume: Self { Self(kind: .cannotResume) }
    /// A message breaks the rules of a protocol: whoever received it takes no further part.
    public static var protocolViolation: Self { Self(kind: .protocolViolation) }
    /// A release would spend more privacy than is allowed; the message names whose, the round and the amounts.
    public static var budgetExhausted: Self { Self(kind: .budgetExhausted) }
  }
}
