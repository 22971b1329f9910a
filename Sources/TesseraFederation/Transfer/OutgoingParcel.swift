internal import Crypto
internal import Foundation
internal import Synchronization
internal import TesseraCore

/// An exchange on its way out: announced as a ``Parcel``, sent chunk by chunk.
///
/// The tensors stay where they are; one chunk at a time is copied, and however many take it, it is digested once.
public struct OutgoingParcel: Sendable {
  /// What is announced.
  public let parcel: Parcel
  private let tensors: [Tensor]
  private let layout: ContentLayout

  /// Makes an exchange ready to be sent.
  ///
  /// - Parameters:
  ///   - exchange: What is sent.
  ///   - chunkSize: The size of chunks in bytes, a multiple of 16.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/limitExceeded``; `TensorError` if a tensor cannot be read.
  public init(_ exchange: Exchange, chunkSize: Int = 1 << 20) throws {
    let outline = ExchangeOutline(of: exchange)
    tensors = try exchange.allTensors.map { try $0.moved(to: .cpu).laidOut(as: .rowMajor) }
    layout = try ContentLayout(
      of: outline.allTensors,
      chunkSize: chunkSize,
      limits: ExchangeLimits(names: .max)
    )
    let digests = try Self.digests(layout, tensors)
    let parcel = Parcel(outline: outline, chunkSize: chunkSize, digests: digests)
    self.parcel = parcel
  }

  /// How many chunks there are.
  public var chunkCount: Int { layout.chunkCount }

  /// The size of the content, in bytes.
  public var byteCount: Int { layout.byteCount }

  /// How many bytes a chunk has.
  public func byteCount(of chunk: Int) -> Int { layout.bytes(of: chunk).count }

  /// A chunk's bytes.
  ///
  /// - Throws: `TensorError` if a tensor cannot be read.
  public func chunk(_ index: Int) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: byteCount(of: index))
    try bytes.withUnsafeMutableBytes { try copyChunk(index, to: $0) }
    return bytes
  }

  /// Copies a chunk's bytes.
  ///
  /// - Parameters:
  ///   - index: Which chunk.
  ///   - target: As large as the chunk (``byteCount(of:)``).
  /// - Throws: `TensorError` if a tensor cannot be read.
  public func copyChunk(_ index: Int, to target: UnsafeMutableRawBufferPointer) throws {
    precondition(parcel.digests.indices.contains(index), "chunk \(index) of \(chunkCount)")
    precondition(target.count == byteCount(of: index), "a chunk has its own size")
    var place = 0
    try Self.forEachPiece(of: index, layout, tensors) { piece in
      switch piece {
      case .elements(let elements):
        UnsafeMutableRawBufferPointer(rebasing: target[place..<place + elements.count])
          .copyMemory(from: elements)
        place += elements.count
      case .padding(let count):
        UnsafeMutableRawBufferPointer(rebasing: target[place..<place + count])
          .initializeMemory(as: UInt8.self, repeating: 0)
        place += count
      }
    }
  }

  /// The digests of all chunks, on all cores: nothing can be sent before they are known.
  private static func digests(_ layout: ContentLayout, _ tensors: [Tensor]) throws -> [ChunkDigest]
  {
    let padding = [UInt8](repeating: 0, count: 16)
    @Sendable func digest(_ chunk: Int) throws -> ChunkDigest {
      var hash = SHA256()
      try forEachPiece(of: chunk, layout, tensors) { piece in
        switch piece {
        case .elements(let bytes): hash.update(bufferPointer: bytes)
        case .padding(let count): hash.update(data: padding.prefix(count))
        }
      }
      return ChunkDigest(hash.finalize())
    }
    let count = layout.chunkCount
    guard count >= 8 else { return try (0..<count).map(digest) }
    let found = Mutex([Result<ChunkDigest, any Error>?](repeating: nil, count: count))
    DispatchQueue.concurrentPerform(iterations: count) { chunk in
      let result = Result { try digest(chunk) }
      found.withLock { $0[chunk] = result }
    }
    return try found.withLock { try $0.compactMap { try $0?.get() } }
  }

  private enum Piece {
    case elements(UnsafeRawBufferPointer)
    case padding(Int)
  }

  private static func forEachPiece(
    of chunk: Int,
    _ layout: ContentLayout,
    _ tensors: [Tensor],
    _ body: (Piece) throws -> Void
  ) throws {
    let bytes = layout.bytes(of: chunk)
    var place = bytes.lowerBound
    for index in layout.tensors(in: chunk) {
      let range = layout.ranges[index].clamped(to: bytes)
      if range.lowerBound > place { try body(.padding(range.lowerBound - place)) }
      let start = layout.ranges[index].lowerBound
      try tensors[index].withBytes { elements in
        let part = range.lowerBound - start..<range.upperBound - start
        try body(.elements(UnsafeRawBufferPointer(rebasing: elements[part])))
      }
      // Of a model in a file, what was read need not stay in memory.
      tensors[index].giveBackPages(of: range.lowerBound - start..<range.upperBound - start)
      place = range.upperBound
    }
    if place < bytes.upperBound { try body(.padding(bytes.upperBound - place)) }
  }
}

extension Exchange {
  /// All tensors, in the order of the content: an exchange's own before those of its parts, parts by name.
  var allTensors: [Tensor] {
    tensors.tensors + parts.sorted { $0.key < $1.key }.flatMap { $0.value.allTensors }
  }
}
