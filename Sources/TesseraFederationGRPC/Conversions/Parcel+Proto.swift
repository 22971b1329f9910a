internal import Foundation
internal import SwiftProtobuf
internal import SystemPackage
internal import TesseraFederation

extension Parcel {
  /// The largest content that travels with its announcement, in bytes: opening a stream for it would take longer.
  static let inlineLimit = 64 << 10

  /// Reads an announcement.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/protocolViolation``.
  init(_ proto: Tessera_Federation_V1_Parcel) throws {
    guard proto.digests.count.isMultiple(of: 32) else {
      throw FederationError.wire("digests have 32 bytes each, and these are \(proto.digests.count)")
    }
    let bytes = proto.digests
    self.init(
      outline: try ExchangeOutline(proto.outline),
      chunkSize: try Int(wire: proto.chunkSize),
      digests: try stride(from: bytes.startIndex, to: bytes.endIndex, by: 32).map {
        try ChunkDigest(bytes: bytes[$0..<$0 + 32])
      }
    )
  }

  var proto: Tessera_Federation_V1_Parcel {
    .with {
      $0.outline = outline.proto
      $0.chunkSize = Int64(chunkSize)
      $0.digests = Data(digests.flatMap(\.bytes))
    }
  }
}

extension OutgoingParcel {
  /// The announcement, with the content if it is small.
  ///
  /// - Throws: `TensorError` if a tensor cannot be read.
  func proto() throws -> Tessera_Federation_V1_Parcel {
    var proto = parcel.proto
    if chunkCount == 1, byteCount(of: 0) <= Parcel.inlineLimit {
      proto.content = Data(try chunk(0))
    }
    return proto
  }
}

extension IncomingParcel {
  /// Expects a parcel that was announced, and takes the content that came with it.
  ///
  /// - Throws: ``FederationError`` if it cannot be what it says.
  init(
    _ proto: Tessera_Federation_V1_Parcel,
    limits: ExchangeLimits,
    spool: FilePath? = nil
  ) throws {
    try self.init(try Parcel(proto), limits: limits, spool: spool)
    if !proto.content.isEmpty { try proto.content.withUnsafeBytes { _ = try take(0, $0) } }
  }
}
