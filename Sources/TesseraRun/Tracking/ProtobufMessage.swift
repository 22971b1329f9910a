/// A message of protocol buffers in the making.
///
/// Only what ``TensorBoardFile`` needs of the format. Fields stand in the order in which they are added; those that are zero or
/// empty are left out, which is how the format says so.
struct ProtobufMessage {
  /// The message so far.
  private(set) var bytes: [UInt8] = []

  /// Adds an `int64`.
  mutating func add(_ number: Int64, field: UInt64) {
    guard number != 0 else { return }
    key(field, .varint)
    varint(UInt64(bitPattern: number))
  }

  /// Adds a `double`.
  mutating func add(_ number: Double, field: UInt64) {
    guard number.bitPattern != 0 else { return }
    key(field, .eightBytes)
    withUnsafeBytes(of: number.bitPattern.littleEndian) { bytes += $0 }
  }

  /// Adds a `float` of a `oneof`, where zero is written like any other number.
  mutating func add(choice number: Float, field: UInt64) {
    key(field, .fourBytes)
    withUnsafeBytes(of: number.bitPattern.littleEndian) { bytes += $0 }
  }

  /// Adds a `string`.
  mutating func add(_ text: String, field: UInt64) {
    if !text.isEmpty { add(Array(text.utf8), field: field) }
  }

  /// Adds a message.
  mutating func add(_ message: ProtobufMessage, field: UInt64) {
    add(message.bytes, field: field)
  }

  private enum Wire: UInt64 { case varint = 0, eightBytes = 1, delimited = 2, fourBytes = 5 }

  private mutating func add(_ contents: [UInt8], field: UInt64) {
    key(field, .delimited)
    varint(UInt64(contents.count))
    bytes += contents
  }

  private mutating func key(_ field: UInt64, _ wire: Wire) {
    varint(field << 3 | wire.rawValue)
  }

  /// Seven bits a byte, the lowest first; all but the last have the eighth set.
  private mutating func varint(_ number: UInt64) {
    var rest = number
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }
}
