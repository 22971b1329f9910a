/// The cyclic redundancy check of Castagnoli's polynomial (RFC 3720, appendix B.4).
package enum CRC32C {
  /// The check of each byte, with the polynomial's bits reversed.
  private static let table: [UInt32] = (0..<256).map { byte in
    (0..<8).reduce(UInt32(byte)) { rest, _ in rest >> 1 ^ (rest & 1) * 0x82F6_3B78 }
  }

  /// The check of some bytes.
  package static func checksum(of bytes: some Sequence<UInt8>) -> UInt32 {
    let table = table
    return ~bytes.reduce(~0) { rest, byte in
      rest >> 8 ^ table[Int(UInt8(truncatingIfNeeded: rest) ^ byte)]
    }
  }
}
