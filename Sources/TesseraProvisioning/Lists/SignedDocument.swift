internal import Crypto
internal import Foundation
internal import SystemPackage
internal import X509

/// A JSON file with the authority's signature in a file beside it.
///
/// The two are not replaced at once. So the second one keeps the signature of the document before, too, on a line below the newest: the
/// document that is there is signed, wherever writing stops, and whenever somebody reads.
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
    let former = try? goodSignature(
      of: contents(path),
      as: purpose,
      by: key.publicKey,
      beside: path
    )
    let lines = [signature.base64EncodedString(), former].compactMap { $0 }
    try KitFile.write(lines.map { $0 + "\n" }.joined(), to: signaturePath(path))
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
    let data = try contents(path)
    guard let key = P256.Signing.PublicKey(root.publicKey),
      try goodSignature(of: data, as: purpose, by: key, beside: path) != nil
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

  private static func contents(_ path: FilePath) throws -> Data {
    Data(try KitFile.text(path, limit: limit).utf8)
  }

  /// The signature of a document among those in the file beside it; `nil` if there is none.
  private static func goodSignature(
    of data: Data,
    as purpose: Purpose,
    by key: P256.Signing.PublicKey,
    beside path: FilePath
  ) throws -> String? {
    let text = try KitFile.text(signaturePath(path), limit: 4096)
    let lines = text.split(whereSeparator: \.isNewline).map(String.init)
    let signatures = lines.compactMap { line in
      Data(base64Encoded: line).flatMap {
        try? P256.Signing.ECDSASignature(derRepresentation: $0)
      }
    }
    // Nothing else may stand there.
    guard signatures.count == lines.count, lines.count <= 2 else { return nil }
    let message = signed(data, as: purpose)
    return zip(lines, signatures).first { key.isValidSignature($1, for: message) }?.0
  }

  static func signaturePath(_ path: FilePath) -> FilePath { FilePath(path.string + ".sig") }

  private static func signed(_ data: Data, as purpose: Purpose) -> Data {
    Data("\(purpose.rawValue)\n".utf8) + data
  }
}
