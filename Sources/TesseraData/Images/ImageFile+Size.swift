extension ImageFile {
  /// How many pixels a PNG or JPEG file claims to have; 0 if it says nothing of it, and will be refused when it is decoded.
  package static func claimedPixels(_ bytes: UnsafeRawBufferPointer) -> Int {
    func number(_ start: Int, _ count: Int) -> Int? {
      guard start + count <= bytes.count else { return nil }
      return bytes[start..<start + count].reduce(0) { $0 << 8 | Int($1) }
    }
    func product(_ first: Int?, _ second: Int?) -> Int {
      let (pixels, isTooMany) = (first ?? 0).multipliedReportingOverflow(by: second ?? 0)
      return isTooMany ? .max : pixels
    }
    // The first chunk of a PNG begins with width and height.
    if bytes.starts(with: [0x89, 0x50, 0x4E, 0x47]) {
      return product(number(16, 4), number(20, 4))
    }
    guard bytes.starts(with: [0xFF, 0xD8]) else { return 0 }
    var position = 2
    while let mark = number(position, 2), mark >> 8 == 0xFF, let length = number(position + 2, 2) {
      // A frame's header: precision, height, width. Other codes of the range are those of tables.
      if (0xC0...0xCF).contains(mark & 0xFF), ![0xC4, 0xC8, 0xCC].contains(mark & 0xFF) {
        return product(number(position + 5, 2), number(position + 7, 2))
      }
      position += 2 + max(length, 2)
    }
    return 0
  }
}
