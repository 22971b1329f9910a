internal import SwiftASN1
internal import SystemPackage
internal import X509

/// Certificates as PEM files.
enum CertificateFile {
  static func read(_ path: FilePath) throws -> Certificate {
    let text = try KitFile.text(path)
    do { return try Certificate(pemEncoded: text) } catch {
      throw ProvisioningError(code: .malformed, message: "\(path) holds no certificate")
    }
  }

  /// Bytes as small hexadecimal digits.
  static func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
  }

  static func write(_ certificate: Certificate, to path: FilePath) throws {
    try KitFile.write(try certificate.serializeAsPEM().pemString + "\n", to: path)
  }
}

extension Certificate {
  /// The serial number, as lists and people have it: hexadecimal.
  var serial: String {
    CertificateFile.hexadecimal(serialNumber.bytes)
  }
}
