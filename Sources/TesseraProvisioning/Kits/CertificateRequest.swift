internal import Crypto
internal import Foundation
internal import SwiftASN1
public import SystemPackage
internal import X509

/// A participant's wish for a certificate, made where its keys stay.
///
/// The file tells who asks and holds the public keys; each key signs for itself that its owner asks.
public struct CertificateRequest: Sendable, Codable {
  /// Who asks.
  public var participant: Participant
  /// The certificate signing request (PKCS #10), PEM.
  var signingRequest: String
  /// The Ed25519 public key, base64.
  var signingKey: String
  /// That key's signature over the signing request, base64.
  var proof: String

  /// Makes keys in a new kit's folder, and the request beside it.
  ///
  /// - Parameters:
  ///   - participant: Who asks.
  ///   - folder: Becomes the kit: the keys are in it, and stay there.
  /// - Returns: Where the request lies, to be sent to the authority.
  /// - Throws: ``ProvisioningError`` with code ``ProvisioningError/Code/alreadyThere`` if the folder has keys.
  public static func make(for participant: Participant, in folder: FilePath) throws -> FilePath {
    let startup = folder.pushing(StartupKit.startup)
    guard !KitFile.exists(startup.appending("own.key")) else {
      throw ProvisioningError(
        code: .alreadyThere,
        message: "\(startup) has keys; a request with new ones needs another folder"
      )
    }
    let keys = ParticipantKeys()
    let request = try CertificateRequest(participant, keys)
    try KitFile.makeFolder(startup, isSecret: true)
    try keys.write(to: startup)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    let file = folder.appending("\(participant.name).request.json")
    try KitFile.write(String(decoding: try encoder.encode(request), as: UTF8.self), to: file)
    return file
  }

  init(_ participant: Participant, _ keys: ParticipantKeys) throws {
    try participant.validate()
    let request = try CertificateSigningRequest(
      version: .v1,
      subject: participant.subject(),
      privateKey: Certificate.PrivateKey(keys.own),
      attributes: .init()
    ).serializeAsPEM().pemString
    self.participant = participant
    signingRequest = request
    signingKey = keys.publicSigningKey
    proof = try keys.signing.signature(for: Data(request.utf8)).base64EncodedString()
  }

  /// Reads a request.
  ///
  /// - Throws: ``ProvisioningError`` if it is none, or its keys have not signed it.
  public init(contentsOf path: FilePath) throws {
    let text = try KitFile.text(path)
    do {
      self = try JSONDecoder().decode(CertificateRequest.self, from: Data(text.utf8))
    } catch {
      throw ProvisioningError(code: .malformed, message: "\(path) is no request for a certificate")
    }
    try participant.validate()
    _ = try publicKey()
  }

  /// What people compare, by telephone, before they sign: the SHA-256 digest of both public keys, in groups of four digits.
  public var fingerprint: String {
    let digits = Array(KitManifest.digest(signingRequest + signingKey).prefix(32))
    return stride(from: 0, to: digits.count, by: 4).map { String(digits[$0..<$0 + 4]) }
      .joined(separator: " ")
  }

  /// The key to be certified, once both keys have proved that their owner asks.
  func publicKey() throws -> P256.Signing.PublicKey {
    guard let request = try? CertificateSigningRequest(pemEncoded: signingRequest),
      request.publicKey.isValidSignature(request.signature, for: request),
      let key = P256.Signing.PublicKey(request.publicKey),
      request.subject == (try participant.subject()),
      let raw = Data(base64Encoded: signingKey), let proof = Data(base64Encoded: proof),
      let signing = try? Curve25519.Signing.PublicKey(rawRepresentation: raw),
      signing.isValidSignature(proof, for: Data(signingRequest.utf8))
    else {
      throw ProvisioningError(
        code: .altered,
        message: "the request of \(participant.name) was not signed by its own keys"
      )
    }
    return key
  }
}
