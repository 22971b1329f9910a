internal import CTessera
internal import Foundation

/// The memory of a sum, which becomes the memory of the tensor that it leads to.
///
/// It comes from the system itself and goes back to it at once: memory of this size would stay with the allocator of the thread
/// that happened to ask for it.
//
// @unchecked Sendable: ``ExactSum`` writes only while it holds the one reference there is, and hands the memory to a tensor,
// which nobody writes to, when it lets go of it.
final class SumStorage: @unchecked Sendable {
  let address: UnsafeMutablePointer<Int64>
  private let count: Int
  /// How many bytes are mapped; `nil` if the memory is the allocator's, as small ones are.
  private var mapped: Int?

  /// Zeros.
  ///
  /// Pages that nothing was added to cost nothing.
  ///
  /// - Throws: ``TensorError`` with code ``TensorError/Code/outOfMemory``.
  init(count: Int) throws {
    let bytes = count * MemoryLayout<Int64>.stride
    let isLarge = bytes >= 1 << 20
    let memory = isLarge ? tessera_map(bytes) : calloc(count, MemoryLayout<Int64>.stride)
    guard let memory else {
      throw TensorError(code: .outOfMemory, message: "no memory for a sum of \(count) elements")
    }
    address = memory.bindMemory(to: Int64.self, capacity: count)
    self.count = count
    mapped = isLarge ? bytes : nil
  }

  convenience init(copying other: SumStorage) throws {
    try self.init(count: other.count)
    address.update(from: other.address, count: count)
  }

  deinit {
    if let mapped { tessera_unmap(address, 0, mapped) } else { free(address) }
  }

  /// Gives the pages of some elements back, which are zeros from now on; what is small stays as it is.
  func forget(_ elements: Range<Int>) {
    guard mapped != nil else { return }
    let bytes = elements.count * MemoryLayout<Int64>.stride
    tessera_empty_pages(address + elements.lowerBound, bytes)
  }

  /// Gives back all but the first bytes; what is small stays as it is.
  func shrink(to bytes: Int) {
    guard let mapped, bytes < mapped else { return }
    tessera_unmap(address, bytes, mapped)
    self.mapped = bytes
  }
}
