internal import Foundation
package import SystemPackage

/// The bytes of a file, mapped into memory: pages are read when they are touched, and shared between processes.
//
// @unchecked Sendable: the mapping is private and read-only from here on.
package final class MappedFile: @unchecked Sendable {
  package let bytes: UnsafeRawBufferPointer

  package init(_ path: FilePath) throws {
    bytes = try AtomicFile.describing("read", path) {
      let descriptor = try FileDescriptor.open(path, .readOnly)
      return try descriptor.closeAfter {
        var status = stat()
        guard fstat(descriptor.rawValue, &status) == 0 else { throw Errno(rawValue: errno) }
        guard status.st_mode & S_IFMT == S_IFREG else {
          throw TensorError(code: .fileSystem, message: "cannot read \(path): not a regular file")
        }
        let size = Int(status.st_size)
        guard size > 0 else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        // PROT_WRITE on a private mapping: LibTorch types tensors as writable, and nothing of it reaches the file.
        let address = mmap(
          nil,
          size,
          PROT_READ | PROT_WRITE,
          MAP_PRIVATE | MAP_NORESERVE,
          descriptor.rawValue,
          0
        )
        guard let address, address != MAP_FAILED else { throw Errno(rawValue: errno) }
        return UnsafeRawBufferPointer(start: address, count: size)
      }
    }
  }

  deinit {
    if let base = bytes.baseAddress { munmap(UnsafeMutableRawPointer(mutating: base), bytes.count) }
  }
}
