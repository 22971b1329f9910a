/// Something that was asked of a deployment was not done.
public struct DeploymentError: Error, Sendable, Hashable, CustomStringConvertible {
  /// What went wrong, for code that wants to react.
  public var code: Code
  /// What went wrong, for a person: names jobs, sites, files and people, never data.
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
      case notFound
      case notAllowed
      case notActive
      case alreadyThere
      case invalidArgument
      case altered
      case cannotRead
      case cannotWrite
      case unavailable
      case unknown
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

    /// There is no such job, site or file.
    public static var notFound: Self { Self(kind: .notFound) }
    /// A policy forbids it, or it makes no sense in the state in which things are.
    public static var notAllowed: Self { Self(kind: .notAllowed) }
    /// This server is not the active one of those that share a database.
    public static var notActive: Self { Self(kind: .notActive) }
    /// It is there already.
    public static var alreadyThere: Self { Self(kind: .alreadyThere) }
    /// What was asked for cannot be understood.
    public static var invalidArgument: Self { Self(kind: .invalidArgument) }
    /// Something signed is not what was signed.
    public static var altered: Self { Self(kind: .altered) }
    /// A file or a database cannot be read.
    public static var cannotRead: Self { Self(kind: .cannotRead) }
    /// A file or a database cannot be written.
    public static var cannotWrite: Self { Self(kind: .cannotWrite) }
    /// Who is asked is not there, or not ready.
    public static var unavailable: Self { Self(kind: .unavailable) }
    /// Something went wrong that nothing here has a name for.
    public static var unknown: Self { Self(kind: .unknown) }
  }
}
