internal import Crypto
internal import Foundation
internal import SystemPackage

/// Which line was the last at some time: whoever remembers it can tell later that no line up to there is missing.
///
/// As text it is the line's number and its digest: `17:9f86d081…`.
public struct AuditHead: Sendable, Hashable, Codable, LosslessStringConvertible {
  /// The number of the line, from 1; 0 before the first.
  public var number: Int
  /// The SHA-256 digest of the line, hexadecimal.
  public var digest: String

  init(number: Int, digest: String) {
    self.number = number
    self.digest = digest
  }

  /// The head of a text, or `nil` if it is none.
  public init?(_ description: String) {
    let parts = description.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 2, let number = Int(parts[0]), number >= 0,
      Hexadecimal.bytes(parts[1].utf8)?.count == 32
    else { return nil }
    self.init(number: number, digest: String(parts[1]))
  }

  /// `17:9f86d081…`.
  public var description: String { "\(number):\(digest)" }
}

extension AuditHead {
  private static let context = "tessera audit head 1\n"

  /// What the file beside a log holds: always as many bytes, so that one write replaces it.
  func signed(with key: Curve25519.Signing.PrivateKey) throws -> [UInt8] {
    let digits = String(number)
    let padding = String(repeating: " ", count: max(0, 19 - digits.count))
    let text = #"{"number":\#(padding)\#(digits),"digest":"\#(digest)""#
    let signature = try key.signature(for: Data((Self.context + text).utf8))
    return Array((text + #","signature":"\#(Hexadecimal.text(signature))"}"# + "\n").utf8)
  }

  /// Reads such bytes, and checks who has signed them.
  init?(signed bytes: [UInt8], by keys: [Curve25519.Signing.PublicKey]) {
    let text = String(decoding: bytes, as: UTF8.self)
    let pattern = /(\{"number": *(\d+),"digest":"([0-9a-f]{64})"),"signature":"([0-9a-f]{128})"\}\n/
    guard let match = try? pattern.wholeMatch(in: text), let number = Int(match.2),
      let signature = Hexadecimal.bytes(match.4.utf8),
      keys.contains(where: {
        $0.isValidSignature(signature, for: Data((Self.context + match.1).utf8))
      })
    else { return nil }
    self.init(number: number, digest: String(match.3))
  }
}
