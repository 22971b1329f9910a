internal import Crypto
public import Foundation
internal import SwiftASN1
public import SystemPackage
public import X509

/// The folder that a participant starts from: who it is, whom it trusts, where the server is.
///
/// `startup/` is the authority's, and signed; `local/` is the participant's own: policies and the place of its data.
public struct StartupKit: Sendable {
  /// Where the kit lies.
  public let folder: FilePath
  /// The federation's name.
  public let project: String
  /// Whose kit it is.
  public let participant: Participant
  /// The authority's certificate.
  public let root: Certificate
  /// The participant's certificate.
  public let certificate: Certificate
  /// All participants that were known when the kit was made, or brought up to date.
  public let participants: ParticipantList
  /// The certificates that are good no longer.
  public let revocations: RevocationList

  /// The place of the signed files in a kit.
  static let startup: FilePath = "startup"
  /// The place of the participant's own files.
  static let local: FilePath = "local"
  static let manifest = "manifest.json"
  /// The files in `startup/` that the manifest does not fix: keys, which the authority need not know, and lists, which are
  /// signed by themselves and change.
  static let free: Set<String> = [
    "startup/own.key", "startup/signing.key", "startup/participants.json",
    "startup/participants.json.sig", "startup/revoked.json", "startup/revoked.json.sig",
  ]

  /// Reads a kit and checks everything in it.
  ///
  /// - Parameters:
  ///   - folder: The kit.
  ///   - now: When its certificate has to be good.
  /// - Throws: ``ProvisioningError``: ``ProvisioningError/Code/altered`` if a signed file was changed, added or removed,
  ///   ``ProvisioningError/Code/expired`` and ``ProvisioningError/Code/revoked`` for the certificate.
  public init(contentsOf folder: FilePath, at now: Date = Date()) throws {
    self.folder = folder
    guard KitFile.exists(folder.appending(Self.manifest)) else {
      throw ProvisioningError(code: .cannotRead, message: "\(folder) is no start-up kit")
    }
    let startup = folder.pushing(Self.startup)
    root = try CertificateFile.read(startup.appending("root.crt"))
    let manifest = try SignedDocument.read(
      KitManifest.self,
      as: .manifest,
      signedBy: root,
      from: folder.appending(Self.manifest)
    )
    guard manifest.format == 1 else {
      throw ProvisioningError(
        code: .malformed,
        message: "\(folder) is a kit of format \(manifest.format); this program reads format 1"
      )
    }
    try manifest.check(folder, in: Self.startup, except: Self.free)
    project = manifest.project
    participant = manifest.participant
    certificate = try CertificateFile.read(startup.appending("own.crt"))
    participants = try SignedDocument.read(
      ParticipantList.self,
      as: .participants,
      signedBy: root,
      from: startup.appending("participants.json")
    )
    revocations = try Self.readRevocations(in: startup, signedBy: root)
    let certified = try CertifiedParticipant(
      certificate,
      root: root,
      at: now,
      revocations: revocations
    )
    guard certified.name == participant.name, certified.kind == participant.kind,
      certified.role == participant.role
    else {
      throw ProvisioningError(
        code: .altered,
        message: "\(startup.appending("own.crt")) is the certificate of \(certified.name)"
      )
    }
    guard certificate.publicKey == Certificate.PublicKey(try ownKey().publicKey) else {
      throw ProvisioningError(
        code: .untrusted,
        message: "\(keyFile) is not the key of own.crt beside it"
      )
    }
    _ = try signingKey()
  }

  /// Where the list of revoked certificates lies, which changes while the kit is in use.
  public var revocationsFile: FilePath {
    folder.pushing(Self.startup).appending(Self.revocationsName)
  }

  /// Reads the list of revoked certificates as it is now.
  ///
  /// - Throws: ``ProvisioningError`` with code ``ProvisioningError/Code/altered`` if it is not what the authority signed.
  public func currentRevocations() throws -> RevocationList {
    try Self.readRevocations(in: folder.pushing(Self.startup), signedBy: root)
  }

  private static let revocationsName = "revoked.json"

  private static func readRevocations(
    in startup: FilePath,
    signedBy root: Certificate
  ) throws -> RevocationList {
    try SignedDocument.read(
      RevocationList.self,
      as: .revocations,
      signedBy: root,
      from: startup.appending(revocationsName)
    )
  }

  /// When the participant's certificate ends.
  public var expires: Date { certificate.notValidAfter }

  /// Where the key of the participant's certificate lies, as PEM.
  public var keyFile: FilePath { folder.pushing(Self.startup).appending("own.key") }
  /// Where the participant's certificate lies, as PEM.
  public var certificateFile: FilePath { folder.pushing(Self.startup).appending("own.crt") }
  /// Where the authority's certificate lies, as PEM.
  public var rootFile: FilePath { folder.pushing(Self.startup).appending("root.crt") }
  /// Where the participant's own settings lie.
  public var localFolder: FilePath { folder.pushing(Self.local) }

  func ownKey() throws -> P256.Signing.PrivateKey {
    let text = try KitFile.text(keyFile)
    do { return try P256.Signing.PrivateKey(pemRepresentation: text) } catch {
      throw ProvisioningError(code: .malformed, message: "\(keyFile) holds no private key")
    }
  }

  /// The Ed25519 key that the participant signs with what other participants check, 32 bytes.
  public func signingKey() throws -> Data {
    let path = folder.pushing(Self.startup).appending("signing.key")
    let text = try KitFile.text(path).trimmingCharacters(in: .whitespacesAndNewlines)
    guard let data = Data(base64Encoded: text),
      (try? Curve25519.Signing.PrivateKey(rawRepresentation: data)) != nil
    else {
      throw ProvisioningError(code: .malformed, message: "\(path) holds no signing key")
    }
    return data
  }
}
