/// Bytes as they arrive, as lines.
struct LineBuffer: Sendable {
  /// The longest line in bytes, its newline among them.
  let longest: Int
  private var bytes: [UInt8] = []
  /// How many of the bytes were looked at, and hold no newline.
  private var searched = 0

  init(longest: Int) { self.longest = longest }

  /// Takes bytes.
  ///
  /// - Returns: The lines that are complete now, without their newlines.
  /// - Throws: ``TrainerViolation`` if a line is too long; the buffer is then of no more use.
  mutating func take(_ more: some Collection<UInt8>) throws -> [[UInt8]] {
    bytes += more
    var lines: [[UInt8]] = []
    var start = 0
    while let end = bytes[searched...].firstIndex(of: UInt8(ascii: "\n")) {
      guard end - start < longest else { throw tooLong }
      lines.append(Array(bytes[start..<end]))
      start = end + 1
      searched = start
    }
    if start > 0 { bytes.removeFirst(start) }
    searched = bytes.count
    guard bytes.count < longest else { throw tooLong }
    return lines
  }

  private var tooLong: TrainerViolation {
    TrainerViolation("a line has more than \(longest) bytes")
  }
}
