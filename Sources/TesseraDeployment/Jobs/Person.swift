public import TesseraProvisioning

/// Somebody who submits jobs, or asks for something.
public struct Person: Sendable, Hashable, Codable {
  /// The name in the certificate.
  public var name: String
  /// To whom the person belongs.
  public var organisation: String
  /// What the person may do.
  public var role: Participant.Role

  /// A person.
  public init(name: String, organisation: String, role: Participant.Role) {
    self.name = name
    self.organisation = organisation
    self.role = role
  }
}
