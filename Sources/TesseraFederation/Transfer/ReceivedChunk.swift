internal import Crypto
internal import Foundation

/// A chunk that has arrived, with the digest that its bytes have.
///
/// The digest is computed where the chunk arrives, before anybody's state is locked for it; what it is compared with is the parcel's.
public struct ReceivedChunk: Sendable {
  /// Its number in the parcel, as the sender says.
  public let index: Int
  /// The digest of its bytes.
  public let digest: ChunkDigest
  /// What it holds.
  let bytes: any ChunkBytes

  /// A chunk as it arrived.
  public init(index: Int, bytes: some ChunkBytes) {
    self.index = index
    self.bytes = bytes
    digest = bytes.withUnsafeBytes { ChunkDigest(of: $0) }
  }
}

/// Bytes that lie side by side, wherever they were received.
public protocol ChunkBytes: Sendable {
  /// Lends the bytes.
  func withUnsafeBytes<Result>(
    _ body: (UnsafeRawBufferPointer) throws -> Result
  ) rethrows -> Result
}

extension [UInt8]: ChunkBytes {}
