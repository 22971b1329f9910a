internal import GRPCCore
internal import SwiftProtobuf
internal import TesseraFederation

/// A chunk on its way out: it is read from its tensors when it is written to the message.
struct OutgoingChunk: Sendable {
  var id: TaskID
  var index: Int
  var parcel: OutgoingParcel
}

/// Writes a chunk as the message `Chunk` of `work.proto`.
///
/// The generated code would have the chunk in an array, and copy it into another for the message; a model is mostly that.
struct ChunkSerializer: MessageSerializer {
  func serialize<Bytes: GRPCContiguousBytes>(_ chunk: OutgoingChunk) throws -> Bytes {
    let count = chunk.parcel.byteCount(of: chunk.index)
    let header = try Self.header(chunk.id, chunk.index, count)
    var message = Bytes(repeating: 0, count: header.count + count)
    try message.withUnsafeMutableBytes { target in
      target.copyBytes(from: header)
      try chunk.parcel.copyChunk(
        chunk.index,
        to: UnsafeMutableRawBufferPointer(rebasing: target[header.count...])
      )
    }
    return message
  }

  /// All of the message but the bytes of the chunk, which come last.
  private static func header(_ id: TaskID, _ index: Int, _ count: Int) throws -> [UInt8] {
    var header: [UInt8] = try Tessera_Federation_V1_Chunk.with {
      $0.id = id.proto
      $0.index = Int64(index)
    }.serializedBytes()
    header.append(WireField.bytes.tag)
    var rest = UInt64(count)
    while rest >= 0x80 {
      header.append(UInt8(rest & 0x7f) | 0x80)
      rest >>= 7
    }
    header.append(UInt8(rest))
    return header
  }
}

/// The fields of the message `Chunk`, by their numbers in `work.proto`.
enum WireField: UInt8 {
  case id = 1
  case index = 2
  case bytes = 3

  /// The field's number and its type, as protobuf writes them before its content.
  var tag: UInt8 { rawValue << 3 | (self == .index ? 0 : 2) }
}
