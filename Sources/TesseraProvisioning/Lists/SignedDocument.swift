internal import Crypto
internal import Foundation
internal import SystemPackage
internal import X509

/// A JSON file with the authority's signature in a file beside it.
enum SignedDocument {
  /// What a document is, which is signed with it: no document can stand in for one of another kind.
  enum Purpose: String {
    case manifest = "tessera kit manifest 1"
    case participants = "tessera participants 1"
    case revocations = "tessera revocations 1"
  }

  /// The largest file that is read.
  private static let limit = 64 << 20

  static func write(
    _ value: some Encodable,
    as purpose: Purpose,
    signedBy key: P256.Signing.PrivateKey,
    to path: FilePath
  ) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    let data = try encoder.encode(value)
    let signature = try key.signature(for: signed(data, as: purpose)).derRepresentation
    // The document last: with an older signature beside it, the pair is refused, and can be written again.
    try KitFile.write(signature.base64EncodedString() + "\n", to: signaturePath(path))
    try KitFile.write(String(decoding: data, as: UTF8.self), to: path)
  }

  /// Reads a document that the authority signed.
  ///
  /// - Throws: ``ProvisioningError`` with code ``ProvisioningError/Code/altered`` if it did not.
  static func read<Value: Decodable>(
    _ type: Value.Type,
    as purpose: Purpose,
    signedBy root: Certificate,
    from path: FilePath
  ) throws -> Value {
    let data = Data(try KitFile.text(path, limit: limit).utf8)
    let text = try KitFile.text(signaturePath(path), limit: 4096)
    guard let key = P256.Signing.PublicKey(root.publicKey),
      let bytes = Data(base64Encoded: text.trimmingCharacters(in: .whitespacesAndNewlines)),
      let signature = try? P256.Signing.ECDSASignature(derRepresentation: bytes),
      key.isValidSignature(signature, for: signed(data, as: purpose))
    else {
      throw ProvisioningError(
        code: .altered,
        message: "\(path) is not what the federation's authority signed"
      )
    }
    do { return try JSONDecoder().decode(type, from: data) } catch {
      throw ProvisioningError(code: .malformed, message: "\(path) cannot be understood")
    }
  }

  static func signaturePath(_ path: FilePath) -> FilePath { FilePath(path.string + ".sig") }

  private static func signed(_ data: Data, as purpose: Purpose) -> Data {
    Data("\(purpose.rawValue)\n".utf8) + data
  }
}
