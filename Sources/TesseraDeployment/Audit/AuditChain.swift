internal import Crypto
internal import Foundation
internal import TesseraRun

/// The lines of an ``AuditLog``, for the participant that writes them.
///
///     {"number":17,"previous":"<digest of line 16>","entry":{…},"signature":"<of what is before it>"}
struct AuditChain: LineChain {
  /// How many lines there are.
  private(set) var count = 0
  /// The SHA-256 digest of the last line, hexadecimal.
  private(set) var digest = AuditLine.start
  /// The digest of the line of that number, once it is there.
  private(set) var watched: [Int: String] = [:]
  private let key: Curve25519.Signing.PrivateKey

  /// A chain before its first line.
  ///
  /// - Parameters:
  ///   - key: Signs the lines.
  ///   - number: A line whose digest is to be remembered.
  init(_ key: Curve25519.Signing.PrivateKey, watching number: Int? = nil) {
    self.key = key
    if let number { watched[number] = number == 0 ? digest : "" }
  }

  mutating func line(_ content: [UInt8]) throws -> [UInt8] {
    let line = try AuditLine(number: count + 1, previous: digest, entry: content[...])
      .signed(with: key)
    advance(past: line[...])
    return line
  }

  /// Signatures are not looked at: that is what ``AuditLog/verify(_:keys:since:)`` is for.
  mutating func content(of line: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
    guard let parts = AuditLine(line), parts.number == count + 1, parts.previous == digest else {
      return nil
    }
    advance(past: line)
    return parts.entry
  }

  private mutating func advance(past line: ArraySlice<UInt8>) {
    count += 1
    digest = AuditLine.digest(of: line)
    if watched[count] != nil { watched[count] = digest }
  }
}
