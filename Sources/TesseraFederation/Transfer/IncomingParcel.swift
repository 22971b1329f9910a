public import SystemPackage
internal import TesseraCore

/// An exchange on its way in: chunks are taken in any order, each once it has the digest that was announced.
///
/// Room for the content is taken when the first chunk comes, or by ``reserve()`` before: memory, or a temporary file, of which nothing
/// stays in memory. The tensors then lie in it, without another copy. What was received outlives a connection: only ``missing`` is asked for again.
public struct IncomingParcel: Sendable {
  /// What was announced.
  public let parcel: Parcel
  private let layout: ContentLayout
  private let spool: FilePath?
  private var store: Store?
  /// Which chunks are there.
  private var received: [Bool]
  /// How many chunks are there.
  public private(set) var receivedCount = 0
  /// How many bytes of the content are there, and have the digests that were announced.
  public private(set) var receivedBytes = 0

  /// Where the content lies.
  private enum Store: Sendable {
    case memory(ChunkMemory)
    case file(SpooledMemory)

    init(bytes: Int, in spool: FilePath?) throws {
      if let spool, bytes >= SpooledMemory.smallest {
        do {
          self = .file(try SpooledMemory(bytes: bytes, in: spool, isReserved: true))
        } catch let error as TensorError {
          throw MissingRoom(for: bytes, in: spool, error)
        }
      } else {
        self = .memory(try ChunkMemory(bytes: bytes))
      }
    }

    func write(_ bytes: UnsafeRawBufferPointer, at place: Range<Int>) throws {
      switch self {
      case .memory(let memory):
        UnsafeMutableRawBufferPointer(rebasing: memory.bytes[place]).copyMemory(from: bytes)
      case .file(let file): try file.write(bytes, at: place.lowerBound)
      }
    }

    func bytes(at place: Range<Int>) -> UnsafeRawBufferPointer {
      switch self {
      case .memory(let memory): UnsafeRawBufferPointer(rebasing: memory.bytes[place])
      case .file(let file): UnsafeRawBufferPointer(rebasing: file.bytes[place])
      }
    }

    func tensor(_ entry: ExchangeOutline.Entry, at offset: Int) throws -> Tensor {
      switch self {
      case .memory(let memory):
        try memory.tensor(shape: entry.shape, dtype: entry.dtype, offset: offset)
      case .file(let file):
        try file.tensor(shape: entry.shape, dtype: entry.dtype, offset: offset)
      }
    }
  }

  /// Expects a parcel.
  ///
  /// - Parameters:
  ///   - parcel: What was announced.
  ///   - limits: What it may hold.
  ///   - spool: The folder for a temporary file that a large content lies in; it lies in memory if `nil`.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/limitExceeded`` or
  ///   ``FederationError/Code/protocolViolation`` if it cannot be what it says, before anything of it is allocated.
  public init(_ parcel: Parcel, limits: ExchangeLimits, spool: FilePath? = nil) throws {
    self.spool = spool
    layout = try parcel.layout(within: limits)
    self.parcel = parcel
    received = [Bool](repeating: false, count: layout.chunkCount)
  }

  /// The chunks that have not come, ascending.
  public var missing: [Int] { received.indices.filter { !received[$0] } }

  /// The size of the content, in bytes.
  public var byteCount: Int { layout.byteCount }

  /// Whether all have come.
  public var isComplete: Bool { receivedCount == layout.chunkCount }

  /// Whether its content is to lie on a disk, where no room was taken for it yet.
  public var needsRoom: Bool {
    store == nil && spool != nil && byteCount >= SpooledMemory.smallest
  }

  /// Takes the room on a disk that the content needs, if it is to lie there, before anything of it is asked for: no chunk finds the
  /// disk full.
  ///
  /// - Throws: ``MissingRoom`` if there is none.
  public mutating func reserve() throws {
    guard needsRoom else { return }
    store = try Store(bytes: byteCount, in: spool)
  }

  /// Takes a chunk.
  ///
  /// - Returns: Whether it was missing.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/protocolViolation`` if it is none of this parcel's, or has
  ///   another size or digest; ``MissingRoom`` or `TensorError` if there is no room for the content. The parcel is then as before.
  @discardableResult
  public mutating func take(_ chunk: ReceivedChunk) throws -> Bool {
    try chunk.bytes.withUnsafeBytes { try take(chunk.index, $0, digest: chunk.digest) }
  }

  /// Takes a chunk whose digest is not known yet.
  ///
  /// - Returns: Whether it was missing.
  /// - Throws: As ``take(_:)``.
  @discardableResult
  public mutating func take(_ index: Int, _ bytes: UnsafeRawBufferPointer) throws -> Bool {
    try take(index, bytes, digest: nil)
  }

  private mutating func take(
    _ index: Int,
    _ bytes: UnsafeRawBufferPointer,
    digest: ChunkDigest?
  ) throws -> Bool {
    guard received.indices.contains(index) else {
      throw violation("chunk \(index) of \(layout.chunkCount)")
    }
    guard !received[index] else { return false }
    let place = layout.bytes(of: index)
    guard bytes.count == place.count else {
      throw violation("chunk \(index) has \(bytes.count) bytes, not \(place.count)")
    }
    guard digest ?? ChunkDigest(of: bytes) == parcel.digests[index] else {
      throw violation("chunk \(index) is not what its digest says")
    }
    let store = try store ?? Store(bytes: byteCount, in: spool)
    self.store = store
    try store.write(bytes, at: place)
    received[index] = true
    receivedCount += 1
    receivedBytes += place.count
    return true
  }

  /// The exchange, once all chunks have come.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/protocolViolation`` if chunks are missing, or truth values are
  ///   neither 0 nor 1; `TensorError` if two tensors have the same name.
  public func exchange() throws -> Exchange {
    guard isComplete else {
      throw violation("\(layout.chunkCount - receivedCount) chunks are missing")
    }
    let store = try store ?? Store(bytes: 0, in: nil)
    var index = 0
    return try parcel.outline.exchange { entry in
      defer { index += 1 }
      let place = layout.ranges[index]
      // Other bytes than 0 and 1 are no truth values, and what LibTorch does with them is undefined.
      guard entry.dtype != .bool || store.bytes(at: place).allSatisfy({ $0 <= 1 }) else {
        throw violation("tensor '\(entry.name)' has truth values that are none")
      }
      return try store.tensor(entry, at: place.lowerBound)
    }
  }

  private func violation(_ message: String) -> FederationError {
    FederationError(code: .protocolViolation, message: message)
  }
}
