internal import CTessera
internal import Foundation

/// The memory of a sum, which becomes the memory of the tensor that it leads to.
//
// @unchecked Sendable: ``ExactSum`` writes only while it holds the one reference there is, and hands the memory to a tensor,
// which nobody writes to, when it lets go of it.
final class SumStorage: @unchecked Sendable {
  private(set) var address: UnsafeMutablePointer<Int64>
  private let count: Int

  /// Zeros.
  ///
  /// Pages that nothing was added to cost nothing.
  ///
  /// - Throws: ``TensorError`` with code ``TensorError/Code/outOfMemory``.
  init(count: Int) throws {
    guard let memory = calloc(count, MemoryLayout<Int64>.stride) else {
      throw TensorError(code: .outOfMemory, message: "no memory for a sum of \(count) elements")
    }
    address = memory.bindMemory(to: Int64.self, capacity: count)
    self.count = count
    tessera_prefer_large_pages(memory, count * MemoryLayout<Int64>.stride)
  }

  convenience init(copying other: SumStorage) throws {
    try self.init(count: other.count)
    address.update(from: other.address, count: count)
  }

  deinit { free(address) }

  /// Gives back all but the first bytes.
  func shrink(to bytes: Int) {
    guard bytes < count * MemoryLayout<Int64>.stride,
      let memory = realloc(address, max(bytes, 1))
    else { return }
    address = memory.assumingMemoryBound(to: Int64.self)
  }
}
