internal import Foundation
package import SystemPackage

/// The bytes of a file, mapped into memory: pages are read when they are touched, and shared between processes.
//
// @unchecked Sendable: the mapping is private and read-only from here on.
package final class MappedFile: @unchecked Sendable {
  package let bytes: UnsafeRawBufferPointer
  /// What kind of memory they are in.
  package let kind: MemoryKind

  package init(_ path: FilePath) throws {
    kind = .privateFile
    bytes = try AtomicFile.describing("read", path) {
      // Without waiting: what is asked for may be a pipe.
      let descriptor = try FileDescriptor.open(path, .readOnly, options: [.nonBlocking])
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

  /// The bytes that a regular file has now, in memory of our own.
  package init(copying descriptor: FileDescriptor, _ path: FilePath, atMost largest: Int) throws {
    kind = .plain
    bytes = try AtomicFile.describing("read", path) {
      var status = stat()
      guard fstat(descriptor.rawValue, &status) == 0 else { throw Errno(rawValue: errno) }
      guard status.st_mode & S_IFMT == S_IFREG else {
        throw TensorError(code: .fileSystem, message: "cannot read \(path): not a regular file")
      }
      let size = Int(status.st_size)
      guard size <= largest else {
        throw TensorError(
          code: .malformedFile,
          message: "\(path) has \(size) bytes; the limit is \(largest)"
        )
      }
      guard size > 0 else { return UnsafeRawBufferPointer(start: nil, count: 0) }
      let address = mmap(
        nil,
        size,
        PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
        -1,
        0
      )
      guard let address, address != MAP_FAILED else { throw Errno(rawValue: errno) }
      let memory = UnsafeMutableRawBufferPointer(start: address, count: size)
      do {
        var count = 0
        while count < size {
          let rest = UnsafeMutableRawBufferPointer(rebasing: memory[count...])
          let more = try descriptor.read(fromAbsoluteOffset: Int64(count), into: rest)
          guard more > 0 else {
            throw TensorError(
              code: .malformedFile,
              message: "\(path) was cut short while it was read"
            )
          }
          count += more
        }
      } catch {
        munmap(address, size)
        throw error
      }
      return UnsafeRawBufferPointer(memory)
    }
  }

  deinit {
    if let base = bytes.baseAddress { munmap(UnsafeMutableRawPointer(mutating: base), bytes.count) }
  }
}
