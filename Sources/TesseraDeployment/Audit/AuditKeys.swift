internal import Crypto
internal import Foundation
public import TesseraProvisioning

/// Who can have signed an audit log: participants and their signing keys.
public struct AuditKeys: Sendable {
  /// The keys of each participant.
  private(set) var keys: [String: [Curve25519.Signing.PublicKey]] = [:]

  /// Those of a federation's participants.
  public init(_ participants: ParticipantList) {
    for entry in participants.entries { add(entry.signingKey, of: entry.participant.name) }
  }

  /// Those of all participants that a kit knows, and the kit's own.
  ///
  /// - Throws: `ProvisioningError` if the kit's key cannot be read.
  public init(of kit: StartupKit) throws {
    self.init(kit.participants)
    let own = try Curve25519.Signing.PrivateKey(rawRepresentation: kit.signingKey())
    add(own.publicKey.rawRepresentation.base64EncodedString(), of: kit.participant.name)
  }

  /// Adds a key that a participant has, or had.
  ///
  /// - Parameters:
  ///   - key: The Ed25519 public key, base64; another text is no key, and changes nothing.
  ///   - name: The participant.
  public mutating func add(_ key: String, of name: String) {
    guard let data = Data(base64Encoded: key),
      let key = try? Curve25519.Signing.PublicKey(rawRepresentation: data)
    else { return }
    keys[name, default: []].append(key)
  }
}
