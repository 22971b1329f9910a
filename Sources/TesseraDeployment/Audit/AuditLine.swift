internal import Crypto
internal import Foundation

/// A line of an ``AuditLog`` in its parts.
///
/// There is one way to write a line: whatever byte of it is changed, it is no line any more, or its signature is wrong.
struct AuditLine {
  /// Its number, from 1.
  var number: Int
  /// The digest of the line before it, hexadecimal.
  var previous: String
  /// What it holds, as JSON.
  var entry: ArraySlice<UInt8>
  /// The signature of all that is before it.
  private var signature: [UInt8] = []
  /// What is signed.
  private var body: ArraySlice<UInt8> = []

  /// What the first line follows: it says which form the lines have.
  static let start = digest(of: Array(context.utf8)[...])
  private static let context = "tessera audit 1\n"
  private static let middle = Array(#","signature":""#.utf8)
  private static let end = Array(#""}"#.utf8)

  init(number: Int, previous: String, entry: ArraySlice<UInt8>) {
    self.number = number
    self.previous = previous
    self.entry = entry
    body = (Self.head(number, previous) + entry)[...]
  }

  /// The line, without its end.
  func signed(with key: Curve25519.Signing.PrivateKey) throws -> [UInt8] {
    let signature = try key.signature(for: Data(Self.context.utf8) + body)
    return body + Self.middle + Hexadecimal.text(signature).utf8 + Self.end
  }

  /// The parts of a line, without its end; `nil` if it is none.
  init?(_ line: ArraySlice<UInt8>) {
    let length = Self.middle.count + 128 + Self.end.count
    let body = line.dropLast(length)
    let rest = line.dropFirst(body.count)
    guard rest.count == length, rest.starts(with: Self.middle),
      rest.suffix(Self.end.count).elementsEqual(Self.end),
      let signature = Hexadecimal.bytes(rest.dropFirst(Self.middle.count).prefix(128))
    else { return nil }
    let start = Array(#"{"number":"#.utf8)
    let digits = body.dropFirst(start.count).prefix { (0x30...0x39).contains($0) }
    let previous = body.dropFirst(start.count + digits.count + 13).prefix(64)
    // No log is longer, and nothing that is counted from it overflows.
    guard let number = Int(String(decoding: digits, as: UTF8.self)), number < 1 << 53,
      Hexadecimal.bytes(previous)?.count == 32
    else { return nil }
    let text = String(decoding: previous, as: UTF8.self)
    let head = Self.head(number, text)
    guard body.starts(with: head) else { return nil }
    self.number = number
    self.previous = text
    entry = body.dropFirst(head.count)
    self.signature = signature
    self.body = body
  }

  /// Whether somebody has signed the line.
  func isSigned(by key: Curve25519.Signing.PublicKey) -> Bool {
    key.isValidSignature(signature, for: Data(Self.context.utf8) + body)
  }

  /// The digest of a line, without its end.
  static func digest(of line: ArraySlice<UInt8>) -> String {
    Hexadecimal.text(SHA256.hash(data: line))
  }

  private static func head(_ number: Int, _ previous: String) -> [UInt8] {
    Array(#"{"number":\#(number),"previous":"\#(previous)","entry":"#.utf8)
  }
}
