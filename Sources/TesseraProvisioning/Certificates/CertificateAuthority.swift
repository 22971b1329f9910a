internal import Crypto
internal import Foundation
internal import SwiftASN1
internal import SystemPackage
internal import X509

/// A federation's root of trust: signs certificates, kits and lists.
///
/// Its key lies in one folder of the person who provisions, and in no kit.
struct CertificateAuthority {
  let key: P256.Signing.PrivateKey
  let certificate: Certificate

  /// How long the root's certificate is good for, in days.
  static let days = 3650
  /// Clocks of machines that have just been set up may be behind.
  private static let tolerance: TimeInterval = 3600

  /// A new authority.
  init(named project: String, at now: Date) throws {
    key = P256.Signing.PrivateKey()
    let name = try DistinguishedName {
      CommonName("\(project) root")
      OrganizationName(project)
    }
    certificate = try Certificate(
      version: .v3,
      serialNumber: Certificate.SerialNumber(),
      publicKey: Certificate.PublicKey(key.publicKey),
      notValidBefore: now - Self.tolerance,
      notValidAfter: now + Self.seconds(days: Self.days),
      issuer: name,
      subject: name,
      signatureAlgorithm: .ecdsaWithSHA256,
      extensions: Certificate.Extensions {
        Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
        Critical(KeyUsage(digitalSignature: true, keyCertSign: true, cRLSign: true))
      },
      issuerPrivateKey: Certificate.PrivateKey(key)
    )
  }

  /// The authority whose files lie in a folder.
  init(contentsOf folder: FilePath) throws {
    let keyFile = folder.appending("root.key")
    certificate = try CertificateFile.read(folder.appending("root.crt"))
    do {
      key = try P256.Signing.PrivateKey(pemRepresentation: KitFile.text(keyFile))
    } catch let error as ProvisioningError {
      throw error
    } catch {
      throw ProvisioningError(code: .malformed, message: "\(keyFile) holds no private key")
    }
    guard certificate.publicKey == Certificate.PublicKey(key.publicKey) else {
      throw ProvisioningError(
        code: .untrusted,
        message: "\(keyFile) is not the key of root.crt beside it"
      )
    }
  }

  /// Writes the key, for its owner alone, and the certificate.
  func write(to folder: FilePath) throws {
    try KitFile.write(key.pemRepresentation, to: folder.appending("root.key"), isSecret: true)
    try CertificateFile.write(certificate, to: folder.appending("root.crt"))
  }

  /// Signs a certificate for a participant.
  ///
  /// - Parameters:
  ///   - participant: Whose.
  ///   - publicKey: The participant's.
  ///   - days: How long it is good for; never longer than the root's own.
  ///   - now: When it begins.
  /// - Returns: The certificate.
  /// - Throws: ``ProvisioningError`` if the participant cannot be.
  func issue(
    for participant: Participant,
    publicKey: P256.Signing.PublicKey,
    days: Int,
    at now: Date
  ) throws -> Certificate {
    try participant.validate()
    let usage: ExtendedKeyUsage.Usage = participant.kind == .server ? .serverAuth : .clientAuth
    return try Certificate(
      version: .v3,
      serialNumber: Certificate.SerialNumber(),
      publicKey: Certificate.PublicKey(publicKey),
      notValidBefore: now - Self.tolerance,
      notValidAfter: min(now + Self.seconds(days: days), certificate.notValidAfter),
      issuer: certificate.subject,
      subject: participant.subject(),
      signatureAlgorithm: .ecdsaWithSHA256,
      extensions: Certificate.Extensions {
        Critical(BasicConstraints.notCertificateAuthority)
        Critical(KeyUsage(digitalSignature: true))
        try ExtendedKeyUsage([usage])
        if !participant.addresses.isEmpty {
          SubjectAlternativeNames(participant.addresses.map(ServerAddress.generalName))
        }
      },
      issuerPrivateKey: Certificate.PrivateKey(key)
    )
  }

  private static func seconds(days: Int) -> TimeInterval { Double(days) * 86_400 }
}
