internal import Crypto
internal import Foundation
internal import TesseraProvisioning

extension ParticipantList {
  /// Who has signed something, if that is true.
  ///
  /// The authority's list rules, which the authority has signed: the server through which it came can change nothing in it.
  ///
  /// - Parameters:
  ///   - signed: What was signed, with what it is before it.
  ///   - signature: The signature.
  ///   - name: Who says to have signed it.
  ///   - project: The federation that it was signed for.
  ///   - revocations: Certificates that are good no longer.
  ///   - subject: What it is, for messages: `the job fashion`.
  /// - Returns: The person, with the organisation and the role of the list.
  /// - Throws: ``DeploymentError`` with code ``DeploymentError/Code/altered`` if the signature is not that person's, with code
  ///   ``DeploymentError/Code/notAllowed`` if the person is not, or no longer, a user of the federation.
  func signer(
    of signed: Data,
    _ signature: Data,
    named name: String,
    in project: String,
    revocations: RevocationList,
    subject: String
  ) throws -> Person {
    guard project == self.project else {
      throw DeploymentError(
        code: .notAllowed,
        message: "\(subject) was signed for the federation \(project)"
      )
    }
    guard let entry = self[name], let role = entry.participant.role else {
      throw DeploymentError(
        code: .notAllowed,
        message: "\(subject) was signed by \(name), who is no user of the federation"
      )
    }
    if let revoked = revocations.entry(for: entry.serial) {
      throw DeploymentError(
        code: .notAllowed,
        message: "the certificate of \(name) was revoked \(revoked.date): \(revoked.reason)"
      )
    }
    guard let bytes = Data(base64Encoded: entry.signingKey),
      let key = try? Curve25519.Signing.PublicKey(rawRepresentation: bytes),
      key.isValidSignature(signature, for: signed)
    else {
      throw DeploymentError(
        code: .altered,
        message: "\(subject) does not bear the signature of \(name)"
      )
    }
    return Person(
      name: entry.participant.name,
      organisation: entry.participant.organisation,
      role: role
    )
  }
}
