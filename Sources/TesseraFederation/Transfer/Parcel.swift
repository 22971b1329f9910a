internal import Crypto
internal import Foundation

/// What an exchange is, as it is announced: its outline, and a digest of each chunk of its content.
///
/// Chunks are named by what they hold. One that somebody has already, of an earlier model or before a connection broke, is not
/// sent again, and none is used before it has the digest that was announced.
public struct Parcel: Sendable, Hashable {
  /// All but the elements.
  public var outline: ExchangeOutline
  /// The size of all chunks but the last, in bytes.
  public var chunkSize: Int
  /// The SHA-256 digest of each chunk.
  public var digests: [ChunkDigest]

  /// A parcel, as it was read.
  public init(outline: ExchangeOutline, chunkSize: Int, digests: [ChunkDigest]) {
    self.outline = outline
    self.chunkSize = chunkSize
    self.digests = digests
  }

  /// Where the tensors lie in the content.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/limitExceeded`` if they are more than `limits` allow, and with
  ///   code ``FederationError/Code/protocolViolation`` if the number of digests is not that of the chunks.
  func layout(within limits: ExchangeLimits) throws -> ContentLayout {
    try limits.check(outline)
    let layout = try ContentLayout(of: outline.allTensors, chunkSize: chunkSize, limits: limits)
    guard layout.chunkCount == digests.count else {
      throw FederationError(
        code: .protocolViolation,
        message: "\(digests.count) digests were announced for \(layout.chunkCount) chunks"
      )
    }
    return layout
  }
}

/// The SHA-256 digest of a chunk: its name.
public struct ChunkDigest: Sendable, Hashable {
  private var words: (UInt64, UInt64, UInt64, UInt64)

  /// The digest of some bytes.
  public init(of bytes: UnsafeRawBufferPointer) {
    var hash = SHA256()
    hash.update(bufferPointer: bytes)
    self.init(hash.finalize())
  }

  init(_ digest: SHA256.Digest) {
    words = digest.withUnsafeBytes { $0.loadUnaligned(as: (UInt64, UInt64, UInt64, UInt64).self) }
  }

  /// A digest that was sent.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/protocolViolation`` if these are not 32 bytes.
  public init(bytes: some Collection<UInt8>) throws {
    guard bytes.count == 32 else {
      throw FederationError(
        code: .protocolViolation,
        message: "a digest has 32 bytes, not \(bytes.count)"
      )
    }
    words = Array(bytes).withUnsafeBytes {
      $0.loadUnaligned(as: (UInt64, UInt64, UInt64, UInt64).self)
    }
  }

  /// The 32 bytes.
  public var bytes: [UInt8] { withUnsafeBytes(of: words) { Array($0) } }

  /// Whether both are the same.
  public static func == (a: Self, b: Self) -> Bool { a.words == b.words }

  /// Feeds the digest, which is evenly distributed already.
  public func hash(into hasher: inout Hasher) { hasher.combine(words.0) }
}
