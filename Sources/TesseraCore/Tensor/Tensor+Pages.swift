internal import CTessera

/// What memory is that a tensor does not own.
package enum MemoryKind: Sendable {
  /// Of the process alone.
  case plain
  /// A file's, and shared with it: what is written is in the file.
  case sharedFile
  /// A file's, but private: what is written stays with the process.
  case privateFile

  var code: TesseraMemory {
    switch self {
    case .plain: TESSERA_MEMORY_PLAIN
    case .sharedFile: TESSERA_MEMORY_SHARED_FILE
    case .privateFile: TESSERA_MEMORY_PRIVATE_FILE
    }
  }
}

// Tensors whose memory is the mapping of a file: what was read of them need not stay in memory.
extension Tensor {
  /// Whether the elements lie in a file that is mapped into memory.
  package var liesInFile: Bool { withExtendedLifetime(handle) { tessera_lies_in_file(pointer) } }

  /// Says that some bytes are not needed for a while.
  ///
  /// Of a tensor in a file, their pages are given back to the system, and read again when they are needed; pages that are in no
  /// file as they are stay. Nothing happens to other tensors.
  ///
  /// - Parameter bytes: Of a tensor in row-major order; all of them if `nil`.
  package func giveBackPages(of bytes: Range<Int>? = nil) {
    let bytes = bytes ?? 0..<count * dtype.byteCount
    withExtendedLifetime(handle) { tessera_give_back_pages(pointer, bytes.lowerBound, bytes.count) }
  }
}
