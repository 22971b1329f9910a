/// The chunks of a PNG file that its pixels depend on (ISO/IEC 15948, clauses 5 and 11).
///
/// The others hold gammas, profiles and text. libpng would apply the first two to the pixels, and a mistake in any of them
/// would make it doubt an image that is whole.
struct PNGChunks {
  /// A file of the essential chunks alone: the critical ones, and the colour that is transparent.
  let essential: [UInt8]
  private let compressedCount: Int
  private let bitsPerPixel: Int

  /// - Throws: What `malformed` makes, if a chunk is cut off or the last one is missing.
  init(_ file: UnsafeRawBufferPointer, _ malformed: (String) -> DataError) throws {
    let signature = 8
    var kept: [UInt8] = []
    kept.reserveCapacity(file.count)
    kept.append(contentsOf: file.prefix(signature))
    var compressed = 0
    var bits = 1
    var start = signature
    while true {
      // A length and a name of 4 bytes each, the contents, and a checksum of 4 bytes.
      guard file.count - start >= 12 else { throw malformed("it ends without its last chunk") }
      let length = file[start..<start + 4].reduce(0) { $0 << 8 | Int($1) }
      let name = String(decoding: file[start + 4..<start + 8], as: UTF8.self)
      guard length <= file.count - start - 12 else {
        throw malformed("it ends within a chunk of \(length) bytes")
      }
      let end = start + 12 + length
      switch name {
      case "IHDR" where length >= 10:
        // After width and height, of 4 bytes each.
        bits = Self.bits(depth: file[start + 16], color: file[start + 17])
      case "IDAT": compressed += length
      default: break
      }
      // Names of critical chunks begin with a capital letter.
      if file[start + 4] & 0x20 == 0 || name == "tRNS" {
        kept.append(contentsOf: file[start..<end])
      }
      if name == "IEND" { break }
      start = end
    }
    essential = kept
    compressedCount = compressed
    bitsPerPixel = bits
  }

  /// Refuses sizes that the compressed data cannot fill, before memory is asked for.
  func checkSize(height: Int, width: Int, _ malformed: (String) -> DataError) throws {
    // Deflate expands by at most 1,032.
    guard height * (width * bitsPerPixel / 8) / 1100 <= compressedCount else {
      throw malformed("its size of \(width)×\(height) is more than its data can hold")
    }
  }

  private static func bits(depth: UInt8, color: UInt8) -> Int {
    let samples =
      switch color {
      case 2: 3
      case 4: 2
      case 6: 4
      default: 1
      }
    return samples * Int(depth)
  }
}
