internal import Crypto
internal import Foundation

/// Little-endian fields, one after the other.
struct ByteWriter {
  private(set) var bytes: [UInt8] = []

  mutating func write<Number: FixedWidthInteger>(_ number: Number) {
    withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
  }

  mutating func write(_ number: Double) { write(number.bitPattern) }

  mutating func write(_ raw: some Sequence<UInt8>) { bytes.append(contentsOf: raw) }
}

/// Reads what ``ByteWriter`` wrote, from bytes that may be anything.
struct ByteReader {
  private let bytes: UnsafeRawBufferPointer
  private(set) var position = 0
  private let what: String

  init(_ bytes: UnsafeRawBufferPointer, of what: String) {
    self.bytes = bytes
    self.what = what
  }

  var remaining: Int { bytes.count - position }

  mutating func read<Number: FixedWidthInteger>(_ type: Number.Type = Number.self) throws -> Number
  {
    let raw = try read(count: MemoryLayout<Number>.size)
    return Number(littleEndian: raw.loadUnaligned(as: Number.self))
  }

  mutating func readDouble() throws -> Double { Double(bitPattern: try read()) }

  /// The next bytes; nothing is allocated for a count that the bytes do not have.
  mutating func read(count: Int) throws -> UnsafeRawBufferPointer {
    guard count >= 0, count <= remaining else { throw malformed("it is cut off") }
    defer { position += count }
    return UnsafeRawBufferPointer(rebasing: bytes[position..<position + count])
  }

  mutating func expect(_ magic: String) throws {
    guard try read(count: magic.utf8.count).elementsEqual(magic.utf8) else {
      throw malformed("it does not begin with '\(magic)'")
    }
  }

  func expectEnd() throws {
    guard remaining == 0 else { throw malformed("\(remaining) bytes follow its end") }
  }

  func malformed(_ reason: String) -> FederationError {
    FederationError(code: .rejectedUpdate, message: "\(what) is damaged: \(reason)")
  }
}

/// Bytes followed by their SHA-256, so that damage is found before anything is made of them.
enum Digested {
  static let size = SHA256.byteCount

  static func appending(to bytes: [UInt8]) -> [UInt8] { bytes + Array(SHA256.hash(data: bytes)) }

  static func checked(
    _ bytes: UnsafeRawBufferPointer,
    of what: String
  ) throws -> UnsafeRawBufferPointer {
    let reader = ByteReader(bytes, of: what)
    guard bytes.count >= size else { throw reader.malformed("it is cut off") }
    let body = UnsafeRawBufferPointer(rebasing: bytes.dropLast(size))
    guard SHA256.hash(data: body) == UnsafeRawBufferPointer(rebasing: bytes.suffix(size)) else {
      throw reader.malformed("its SHA-256 is another")
    }
    return body
  }
}
