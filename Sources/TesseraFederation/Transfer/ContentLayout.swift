internal import TesseraCore

/// Where the elements of an exchange's tensors lie in its content: one after the other, divided into chunks.
///
/// The content begins anew with each exchange, so that a part of a model that did not change has the same chunks as before.
struct ContentLayout: Sendable, Hashable {
  /// The bytes of each tensor.
  let ranges: [Range<Int>]
  /// The size of the content.
  let byteCount: Int
  /// The size of all chunks but the last.
  let chunkSize: Int

  /// The size of chunks, unless somebody wants another: as large as a chunk can be without making a small machine wait.
  static let usualChunkSize = 1 << 20
  /// The largest size of chunks: whoever receives them has whole ones in memory.
  static let largestChunkSize = 8 << 20
  /// Elements of all dtypes begin at multiples of it, in the content and so in every chunk.
  private static let alignment = 16

  /// The layout of these tensors.
  ///
  /// - Parameters:
  ///   - tensors: In the order of the content.
  ///   - chunkSize: A multiple of 16.
  ///   - limits: What the tensors may be.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/limitExceeded`` if they are more.
  init(
    of tensors: [ExchangeOutline.Entry],
    chunkSize: Int = Self.usualChunkSize,
    limits: ExchangeLimits
  ) throws {
    guard chunkSize > 0, chunkSize.isMultiple(of: Self.alignment),
      chunkSize <= Self.largestChunkSize
    else {
      throw FederationError(
        code: .limitExceeded,
        message:
          "chunks of \(chunkSize) bytes; they have a multiple of 16, and \(Self.largestChunkSize) at most"
      )
    }
    guard tensors.count <= limits.names else {
      throw FederationError(
        code: .limitExceeded,
        message: "it has \(tensors.count) tensors; the limit is \(limits.names)"
      )
    }
    var (total, end) = (0, 0)
    var ranges: [Range<Int>] = []
    ranges.reserveCapacity(tensors.count)
    for entry in tensors {
      let before = total
      try limits.check(tensor: entry.name, shape: entry.shape, dtype: entry.dtype, bytes: &total)
      // The limits leave room: there are at most so many tensors, each of which moves the next by less than 16 bytes.
      let start = (end + Self.alignment - 1) & ~(Self.alignment - 1)
      end = start + total - before
      ranges.append(start..<end)
    }
    self.ranges = ranges
    byteCount = end
    self.chunkSize = chunkSize
  }

  /// How many chunks there are.
  var chunkCount: Int { (byteCount + chunkSize - 1) / chunkSize }

  /// The bytes of a chunk.
  func bytes(of chunk: Int) -> Range<Int> {
    chunk * chunkSize..<min((chunk + 1) * chunkSize, byteCount)
  }

  /// The tensors that have bytes in a chunk.
  func tensors(in chunk: Int) -> Range<Int> {
    let bytes = bytes(of: chunk)
    let first = firstTensor { ranges[$0].upperBound > bytes.lowerBound }
    let end = firstTensor { ranges[$0].lowerBound >= bytes.upperBound }
    return first..<max(first, end)
  }

  /// The first tensor for which a condition holds that holds for all after it.
  private func firstTensor(_ holds: (Int) -> Bool) -> Int {
    var (low, high) = (0, ranges.count)
    while low < high {
      let middle = low + (high - low) / 2
      if holds(middle) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
