internal import GRPCCore
internal import GRPCNIOTransportHTTP2Posix
internal import SwiftProtobuf
internal import TesseraFederation

/// A chunk as it arrived.
struct IncomingChunk: Sendable {
  var id: TaskID
  var chunk: ReceivedChunk
}

/// Reads the message `Chunk` of `work.proto`, and digests the chunk where it lies.
///
/// The generated code would copy the chunk out of the message; here it stays in it, until it is written to its place.
struct ChunkDeserializer: MessageDeserializer {
  func deserialize<Bytes: GRPCContiguousBytes>(_ message: Bytes) throws -> IncomingChunk {
    do {
      let fields = try message.withUnsafeBytes(Fields.init)
      let content: any ChunkBytes =
        if let message = message as? GRPCNIOTransportBytes {
          MessageSlice(message: message, range: fields.content)
        } else {
          message.withUnsafeBytes { [UInt8]($0[fields.content]) }
        }
      return IncomingChunk(
        id: fields.id,
        chunk: ReceivedChunk(index: fields.index, bytes: content)
      )
    } catch let error as FederationError {
      throw RPCError(code: .invalidArgument, message: error.message)
    }
  }

  /// What a message says, and where in it the chunk's bytes lie.
  private struct Fields {
    var id = TaskID(job: "", step: 0)
    var index = 0
    var content = 0..<0

    init(_ message: UnsafeRawBufferPointer) throws {
      var place = 0
      while place < message.count {
        let tag = try Self.number(message, &place)
        switch tag {
        case UInt64(WireField.index.tag):
          index = try Int(wire: Int64(truncatingIfNeeded: try Self.number(message, &place)))
        case UInt64(WireField.id.tag):
          let range = try Self.range(message, &place)
          guard let id = try? Tessera_Federation_V1_TaskID(serializedBytes: [UInt8](message[range]))
          else { throw FederationError.wire("a task's name cannot be read") }
          self.id = try TaskID(id)
        case UInt64(WireField.bytes.tag): content = try Self.range(message, &place)
        // What a later version may add.
        case _ where tag & 7 == 0: _ = try Self.number(message, &place)
        case _ where tag & 7 == 2: _ = try Self.range(message, &place)
        default: throw FederationError.wire("a chunk's message cannot be read")
        }
      }
    }

    /// A number of variable length.
    private static func number(
      _ message: UnsafeRawBufferPointer,
      _ place: inout Int
    ) throws -> UInt64 {
      var value: UInt64 = 0
      for shift in stride(from: UInt64(0), to: 70, by: 7) {
        guard place < message.count else { break }
        let byte = message[place]
        place += 1
        value |= shift < 64 ? UInt64(byte & 0x7f) << shift : 0
        if byte < 0x80 { return value }
      }
      throw FederationError.wire("a chunk's message ends too early")
    }

    /// The place of content whose length stands before it.
    private static func range(
      _ message: UnsafeRawBufferPointer,
      _ place: inout Int
    ) throws -> Range<Int> {
      let count = try number(message, &place)
      guard count <= UInt64(message.count - place) else {
        throw FederationError.wire("a chunk's message ends too early")
      }
      defer { place += Int(count) }
      return place..<place + Int(count)
    }
  }
}

/// A part of a message that was received.
private struct MessageSlice: ChunkBytes {
  let message: GRPCNIOTransportBytes
  let range: Range<Int>

  func withUnsafeBytes<Result>(
    _ body: (UnsafeRawBufferPointer) throws -> Result
  ) rethrows -> Result {
    try message.withUnsafeBytes { try body(UnsafeRawBufferPointer(rebasing: $0[range])) }
  }
}
