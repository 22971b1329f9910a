internal import Foundation
package import SystemPackage

/// Memory in a temporary file without a name: filled once by writing, then read as tensors.
///
/// What was written need not be in memory: the system keeps it as long as it has room, and on the disk otherwise. Pages that were read
/// are given back by ``Tensor/giveBackPages(of:)``. The file goes with the last tensor over it, and even when the process is killed;
/// nobody else can open it.
//
// @unchecked Sendable: writing goes through the file, each part by one writer, before a tensor over that part exists.
package final class SpooledMemory: @unchecked Sendable {
  /// From how many bytes on a file of its own is worth its while.
  package static let smallest = 4 << 20

  /// How many bytes there are.
  package let count: Int
  private let address: UnsafeMutableRawPointer
  private let descriptor: FileDescriptor
  private let folder: FilePath

  /// Memory that holds zeros.
  ///
  /// - Parameters:
  ///   - count: How many bytes, above 0.
  ///   - folder: Where the file lies.
  ///   - isReserved: Whether the disk's room is taken at once, so that no write can fail for want of it.
  /// - Throws: ``TensorError`` with code ``TensorError/Code/fileSystem``.
  package init(bytes count: Int, in folder: FilePath, isReserved: Bool = false) throws {
    self.count = count
    self.folder = folder
    let path = folder.appending(".tessera-spool-\(UUID().uuidString)")
    let (descriptor, address) = try AtomicFile.describing("make a temporary file in", folder) {
      let descriptor = try FileDescriptor.open(
        path,
        .readWrite,
        options: [.create, .exclusiveCreate, .closeOnExec],
        permissions: [.ownerReadWrite]
      )
      unlink(path.string)
      do {
        let code =
          isReserved
          ? posix_fallocate(descriptor.rawValue, 0, off_t(count))
          : ftruncate(descriptor.rawValue, off_t(count)) == 0 ? 0 : errno
        guard code == 0 else { throw Errno(rawValue: code) }
        let address = mmap(
          nil,
          count,
          PROT_READ | PROT_WRITE,
          MAP_SHARED,
          descriptor.rawValue,
          0
        )
        guard let address, address != MAP_FAILED else { throw Errno(rawValue: errno) }
        return (descriptor, address)
      } catch {
        try? descriptor.close()
        throw error
      }
    }
    self.descriptor = descriptor
    self.address = address
  }

  deinit {
    munmap(address, count)
    try? descriptor.close()
  }

  /// The bytes, for reading.
  package var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: address, count: count) }

  /// Writes bytes.
  ///
  /// - Throws: ``TensorError`` with code ``TensorError/Code/fileSystem``.
  package func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws {
    precondition(offset >= 0 && offset + bytes.count <= count, "beyond the memory's end")
    try AtomicFile.describing("write a temporary file in", folder) {
      _ = try descriptor.writeAll(toAbsoluteOffset: Int64(offset), bytes)
    }
  }

  /// A tensor over bytes that were written.
  ///
  /// - Throws: ``TensorError`` if the shape does not fit.
  package func tensor(shape: [Int], dtype: DType, offset: Int = 0) throws -> Tensor {
    try Tensor(
      memory: address + offset,
      owner: self,
      kind: .sharedFile,
      shape: shape,
      dtype: dtype
    )
  }
}
