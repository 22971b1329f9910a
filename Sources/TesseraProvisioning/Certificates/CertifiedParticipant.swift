internal import Crypto
public import Foundation
internal import SwiftASN1
public import X509

/// Who a certificate says somebody is, once it is known to be the authority's.
public struct CertifiedParticipant: Sendable, Hashable {
  /// The name.
  public var name: String
  /// What it is.
  public var kind: Participant.Kind
  /// To whom it belongs.
  public var organisation: String
  /// What it may do, if it is a person.
  public var role: Participant.Role?
  /// The certificate's serial number, hexadecimal.
  public var serial: String

  /// Reads a certificate, after checking that the authority signed it, for this use, and for this time.
  ///
  /// - Parameters:
  ///   - certificate: As the other side presented it.
  ///   - root: The authority's.
  ///   - now: When it has to be good.
  ///   - revocations: Those that are good no longer.
  /// - Throws: ``ProvisioningError`` with code ``ProvisioningError/Code/untrusted``, ``ProvisioningError/Code/expired``,
  ///   ``ProvisioningError/Code/revoked`` or ``ProvisioningError/Code/malformed``.
  public init(
    _ certificate: Certificate,
    root: Certificate,
    at now: Date,
    revocations: RevocationList = RevocationList()
  ) throws {
    guard certificate.issuer == root.subject,
      root.publicKey.isValidSignature(certificate.signature, for: certificate)
    else {
      throw ProvisioningError(
        code: .untrusted,
        message: "the certificate was not signed by this federation's authority"
      )
    }
    let parts = certificate.subject.flatMap { $0 }
    func part(_ type: ASN1ObjectIdentifier) -> String? {
      let values = parts.filter { $0.type == type }
      return values.count == 1 ? values.first.flatMap { String($0.value) } : nil
    }
    guard let name = part(.RDNAttributeType.commonName), Participant.isName(name),
      let organisation = part(.RDNAttributeType.organizationName),
      let unit = part(.RDNAttributeType.organizationalUnitName)
    else {
      throw ProvisioningError(code: .malformed, message: "the certificate names no participant")
    }
    let words = unit.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    guard let kind = Participant.Kind(rawValue: words[0]),
      words.count == (kind == .user ? 2 : 1),
      kind != .user || Participant.Role(rawValue: words[1]) != nil
    else {
      throw ProvisioningError(
        code: .malformed,
        message: "the certificate of \(name) says neither server nor site nor user"
      )
    }
    self.name = name
    self.kind = kind
    self.organisation = organisation
    role = kind == .user ? Participant.Role(rawValue: words[1]) : nil
    serial = certificate.serial
    guard now >= certificate.notValidBefore else {
      throw ProvisioningError(
        code: .expired,
        message: "the certificate of \(name) begins \(certificate.notValidBefore.ISO8601Format())"
      )
    }
    guard now <= certificate.notValidAfter else {
      throw ProvisioningError(
        code: .expired,
        message: "the certificate of \(name) ended \(certificate.notValidAfter.ISO8601Format())"
      )
    }
    if let entry = revocations.entry(for: serial) {
      throw ProvisioningError(
        code: .revoked,
        message: "the certificate of \(name) was revoked \(entry.date): \(entry.reason)"
      )
    }
  }
}

extension Participant {
  /// The subject of the participant's certificate: name, organisation, and what it is (`site`, `user:lead`).
  func subject() throws -> DistinguishedName {
    let unit = role.map { "\(kind.rawValue):\($0.rawValue)" } ?? kind.rawValue
    return try DistinguishedName {
      CommonName(name)
      OrganizationName(organisation)
      OrganizationalUnitName(unit)
    }
  }
}
