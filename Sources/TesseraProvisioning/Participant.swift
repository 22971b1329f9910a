/// Someone with a certificate in a federation: a server, a site or a person.
public struct Participant: Sendable, Hashable, Codable {
  /// What a participant is.
  public enum Kind: String, Sendable, Hashable, Codable, CaseIterable {
    /// Coordinates rounds. A federation may have two, the second to stand by.
    case server
    /// Keeps data and computes.
    case site
    /// Submits and watches jobs.
    case user
  }

  /// What a person may do, unless a site's policy decides otherwise.
  public enum Role: String, Sendable, Hashable, Codable, CaseIterable {
    /// Runs the federation.
    case projectAdmin = "project-admin"
    /// Runs the sites of an organisation.
    case orgAdmin = "org-admin"
    /// Leads studies: submits jobs.
    case lead
    /// Watches.
    case member
  }

  /// The name, unique in the federation; also the common name in its certificate.
  public var name: String
  /// What it is.
  public var kind: Kind
  /// To whom it belongs.
  public var organisation: String
  /// What it may do, if it is a person.
  public var role: Role?
  /// The host names and IP addresses that a server is reached by.
  public var addresses: [String]
  /// The port that a server listens at.
  public var port: Int?

  /// A participant.
  ///
  /// - Throws: ``ProvisioningError`` with code ``ProvisioningError/Code/invalidName`` or
  ///   ``ProvisioningError/Code/notAllowed``, naming the participant.
  public init(
    name: String,
    kind: Kind,
    organisation: String,
    role: Role? = nil,
    addresses: [String] = [],
    port: Int? = nil
  ) throws {
    self.name = name
    self.kind = kind
    self.organisation = organisation
    self.role = role
    self.addresses = addresses
    self.port = port
    try validate()
  }

  /// Refuses what no participant can be.
  func validate() throws {
    guard Self.isName(name) else {
      throw ProvisioningError(
        code: .invalidName,
        message: """
          a participant's name has 1 to 63 letters, digits and of '.', '-', '_', '@', and begins with a letter or a digit
          """
      )
    }
    guard (1...64).contains(organisation.count), !organisation.contains(where: \.isNewline),
      organisation.allSatisfy({ $0.isLetter || $0.isNumber || " .,-_&'()".contains($0) })
    else {
      throw ProvisioningError(
        code: .invalidName,
        message:
          "\(name): an organisation's name has 1 to 64 letters, digits, spaces and of .,-_&'()"
      )
    }
    guard (kind == .user) == (role != nil) else {
      throw ProvisioningError(
        code: .notAllowed,
        message: kind == .user ? "\(name): a user needs a role" : "\(name): only users have a role"
      )
    }
    guard (kind == .server) == (port != nil), (kind == .server) == !addresses.isEmpty else {
      throw ProvisioningError(
        code: .notAllowed,
        message: kind == .server
          ? "\(name): a server needs addresses and a port"
          : "\(name): only servers have addresses and a port"
      )
    }
    if let port, !(1...65_535).contains(port) {
      throw ProvisioningError(code: .notAllowed, message: "\(name): \(port) is no port")
    }
    for address in addresses where !ServerAddress.isValid(address) {
      throw ProvisioningError(
        code: .notAllowed,
        message: "\(name): an address must be a host name or an IP address"
      )
    }
  }

  /// Whether a text can be a participant's name: it is part of paths, certificates and log lines.
  public static func isName(_ text: String) -> Bool {
    let letters = UInt8(ascii: "a")...UInt8(ascii: "z")
    let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
    func isPlain(_ byte: UInt8) -> Bool { letters ~= byte | 0x20 && byte >= 0x41 || digits ~= byte }
    guard let first = text.utf8.first, isPlain(first), text.utf8.count <= 63 else { return false }
    return text.utf8.allSatisfy { isPlain($0) || ".-_@".utf8.contains($0) }
  }
}
