@testable import TesseraFederationGRPC

/// Frames of HTTP/2 (RFC 9113), written by hand, so that they can be wrong.
enum Frames {
  static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

  static func frame(_ type: UInt8, flags: UInt8 = 0, stream: UInt32, _ payload: [UInt8]) -> [UInt8]
  {
    let count = payload.count
    let length = [UInt8(count >> 16 & 0xff), UInt8(count >> 8 & 0xff), UInt8(count & 0xff)]
    let id = [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: stream >> $0) }
    return length + [type, flags] + id + payload
  }

  static let settings = frame(4, stream: 0, [])
  static let ping = frame(6, stream: 0, [1, 2, 3, 4, 5, 6, 7, 8])

  /// Asks for a call.
  static func headers(_ path: String, stream: UInt32, extra: [(String, String)] = []) -> [UInt8] {
    let fields =
      [
        (":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "server"),
        ("te", "trailers"), ("content-type", "application/grpc"),
      ] + extra
    return frame(1, flags: 4, stream: stream, fields.flatMap { literal($0.0, $0.1) })
  }

  /// The answer to a call has begun.
  static func response(stream: UInt32) -> [UInt8] {
    let fields = [(":status", "200"), ("content-type", "application/grpc")]
    return frame(1, flags: 4, stream: stream, fields.flatMap { literal($0.0, $0.1) })
  }

  /// A message of a call.
  static func message(_ bytes: [UInt8], stream: UInt32, announced: UInt32? = nil) -> [UInt8] {
    let count = announced ?? UInt32(bytes.count)
    let length = [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: count >> $0) }
    return frame(0, stream: stream, [0] + length + bytes)
  }

  /// A header field as HPACK writes it without any table (RFC 7541, 6.2.2).
  private static func literal(_ name: String, _ value: String) -> [UInt8] {
    [0, UInt8(name.utf8.count)] + Array(name.utf8) + [UInt8(value.utf8.count)] + Array(value.utf8)
  }

  static let attend = "/tessera.federation.v1.Work/Attend"
  static let fetch = "/tessera.federation.v1.Work/Fetch"
  static let deliver = "/tessera.federation.v1.Work/Deliver"
}
