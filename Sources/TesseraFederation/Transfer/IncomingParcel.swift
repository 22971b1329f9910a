internal import TesseraCore

/// An exchange on its way in: chunks are taken in any order, each once it has the digest that was announced.
///
/// Memory is that of the content, reserved when the first chunk comes; the tensors then lie in it, without another copy. What was
/// received outlives a connection: only ``missing`` is asked for again.
public struct IncomingParcel: Sendable {
  /// What was announced.
  public let parcel: Parcel
  private let layout: ContentLayout
  private var memory: ChunkMemory?
  /// Which chunks are there.
  private var received: [Bool]
  /// How many chunks are there.
  public private(set) var receivedCount = 0

  /// Expects a parcel.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/limitExceeded`` or
  ///   ``FederationError/Code/protocolViolation`` if it cannot be what it says, before anything of it is allocated.
  public init(_ parcel: Parcel, limits: ExchangeLimits) throws {
    layout = try parcel.layout(within: limits)
    self.parcel = parcel
    received = [Bool](repeating: false, count: layout.chunkCount)
  }

  /// The chunks that have not come, ascending.
  public var missing: [Int] { received.indices.filter { !received[$0] } }

  /// Whether all have come.
  public var isComplete: Bool { receivedCount == layout.chunkCount }

  /// Takes a chunk.
  ///
  /// - Returns: Whether it was missing.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/protocolViolation`` if it is none of this parcel's, or has
  ///   another size or digest; the parcel is then as before.
  @discardableResult
  public mutating func take(_ index: Int, _ bytes: UnsafeRawBufferPointer) throws -> Bool {
    guard received.indices.contains(index) else {
      throw violation("chunk \(index) of \(layout.chunkCount)")
    }
    guard !received[index] else { return false }
    let place = layout.bytes(of: index)
    guard bytes.count == place.count else {
      throw violation("chunk \(index) has \(bytes.count) bytes, not \(place.count)")
    }
    guard ChunkDigest(of: bytes) == parcel.digests[index] else {
      throw violation("chunk \(index) is not what its digest says")
    }
    let memory = memory ?? ChunkMemory(bytes: layout.byteCount)
    self.memory = memory
    UnsafeMutableRawBufferPointer(rebasing: memory.bytes[place]).copyMemory(from: bytes)
    received[index] = true
    receivedCount += 1
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
    let memory = memory ?? ChunkMemory(bytes: 0)
    var index = 0
    return try parcel.outline.exchange { entry in
      defer { index += 1 }
      let bytes = UnsafeMutableRawBufferPointer(rebasing: memory.bytes[layout.ranges[index]])
      // Other bytes than 0 and 1 are no truth values, and what LibTorch does with them is undefined.
      guard entry.dtype != .bool || bytes.allSatisfy({ $0 <= 1 }) else {
        throw violation("tensor '\(entry.name)' has truth values that are none")
      }
      return try memory.tensor(
        shape: entry.shape,
        dtype: entry.dtype,
        offset: layout.ranges[index].lowerBound
      )
    }
  }

  private func violation(_ message: String) -> FederationError {
    FederationError(code: .protocolViolation, message: message)
  }
}
