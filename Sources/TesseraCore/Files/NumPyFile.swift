internal import CZip
internal import Foundation
public import SystemPackage

/// Reading and writing of NumPy's `.npy` and `.npz` files.
public enum NumPyFile {
  /// Reads the array of an `.npy` file.
  ///
  /// `uint16` becomes `int32`, and `uint32` and `uint64` become `int64`.
  ///
  /// - Throws: ``TensorError`` with code ``TensorError/Code/malformedFile`` if the file is truncated or not NumPy's.
  public static func read(_ path: FilePath) throws -> Tensor {
    let file = try MappedFile(path)
    return try decoded(file.bytes, name: path.string)
  }

  /// Writes an `.npy` file, all of it or nothing.
  public static func write(_ tensor: Tensor, to path: FilePath) throws {
    let header = try NumPyHeader.encoded(dtype: tensor.dtype, shape: tensor.shape)
    try AtomicFile.write(to: path) { writer in
      try header.withUnsafeBytes { try writer.write($0) }
      try tensor.withBytes { try writer.write($0) }
    }
  }

  /// Reads all arrays of an `.npz` archive, in its order, with the dtypes of ``read(_:)``.
  ///
  /// - Throws: ``TensorError`` with code ``TensorError/Code/malformedFile`` if the archive or one of its arrays is damaged.
  public static func readArchive(_ path: FilePath) throws -> [(name: String, tensor: Tensor)] {
    func malformed(_ what: String) -> TensorError {
      TensorError(code: .malformedFile, message: "\(path) is not an .npz archive: \(what)")
    }
    // Gives the better error if the file is not there.
    _ = try MappedFile(path)
    var code: Int32 = 0
    guard let archive = zip_open(path.string, ZIP_RDONLY | ZIP_CHECKCONS, &code) else {
      throw malformed("libzip cannot open it (code \(code))")
    }
    defer { zip_discard(archive) }
    var tensors: [(name: String, tensor: Tensor)] = []
    for index in 0..<zip_uint64_t(max(0, zip_get_num_entries(archive, 0))) {
      var status = zip_stat_t()
      guard zip_stat_index(archive, index, 0, &status) == 0, let name = status.name,
        let size = Int(exactly: status.size),
        // Not `comp_size + 1`: a hostile archive claims the largest number there is.
        status.size / largestExpansion <= status.comp_size
      else { throw malformed("entry \(index) cannot be read") }
      let file = String(cString: name)
      guard let entry = zip_fopen_index(archive, index, 0) else {
        throw malformed("entry '\(file)' cannot be opened")
      }
      defer { zip_fclose(entry) }
      let bytes = try [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
        count = max(0, Int(zip_fread(entry, buffer.baseAddress, zip_uint64_t(size))))
        // libzip compares checksums only when a read finds the end.
        var next: UInt8 = 0
        guard count == size, zip_fread(entry, &next, 1) == 0 else {
          throw malformed("entry '\(file)' is damaged")
        }
      }
      let tensor = try bytes.withUnsafeBytes { try decoded($0, name: "\(path): \(file)") }
      tensors.append((file.hasSuffix(".npy") ? String(file.dropLast(4)) : file, tensor))
    }
    return tensors
  }

  /// Writes an `.npz` archive, all of it or nothing.
  ///
  /// - Parameters:
  ///   - tensors: With names that differ.
  ///   - path: An earlier file of that name is replaced.
  ///   - compressed: Whether to compress, as `numpy.savez_compressed` does.
  /// - Throws: ``TensorError`` with code ``TensorError/Code/fileSystem`` if the system refuses, or an entry cannot be named or
  ///   stored.
  public static func writeArchive(
    _ tensors: [(name: String, tensor: Tensor)],
    to path: FilePath,
    compressed: Bool = false
  ) throws {
    // libzip removes a file instead of writing an archive of nothing; this is what such an archive is.
    guard !tensors.isEmpty else {
      let endOfDirectory: [UInt8] = [0x50, 0x4B, 5, 6] + [UInt8](repeating: 0, count: 18)
      return try AtomicFile.write(to: path) { writer in
        try endOfDirectory.withUnsafeBytes { try writer.write($0) }
      }
    }
    let neighbour = try AtomicFile.partialName(for: path)
    func failed(_ reason: String) -> TensorError {
      TensorError(code: .fileSystem, message: "cannot write \(path): \(reason)")
    }
    var code: Int32 = 0
    guard let archive = zip_open(neighbour.string, ZIP_CREATE | ZIP_EXCL, &code) else {
      throw failed("libzip cannot create it (code \(code))")
    }
    var isOpen = true
    defer {
      if isOpen { zip_discard(archive) }
      unlink(neighbour.string)
    }
    // libzip reads the buffers when the archive is closed.
    var buffers: [UnsafeMutableRawBufferPointer] = []
    defer { for buffer in buffers { buffer.deallocate() } }
    for (name, tensor) in tensors {
      let header = try NumPyHeader.encoded(dtype: tensor.dtype, shape: tensor.shape)
      let size = header.count + tensor.count * tensor.dtype.byteCount
      let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 16)
      buffers.append(buffer)
      buffer.copyBytes(from: header)
      try tensor.withBytes {
        UnsafeMutableRawBufferPointer(rebasing: buffer[header.count...]).copyMemory(from: $0)
      }
      let source = zip_source_buffer(archive, buffer.baseAddress, zip_uint64_t(size), 0)
      let index = zip_file_add(archive, "\(name).npy", source, zip_flags_t(ZIP_FL_ENC_UTF_8))
      guard index >= 0 else {
        zip_source_free(source)
        throw TensorError(code: .invalidArgument, message: "two arrays are named '\(name)'")
      }
      zip_set_file_compression(
        archive,
        zip_uint64_t(index),
        compressed ? ZIP_CM_DEFLATE : ZIP_CM_STORE,
        0
      )
    }
    guard zip_close(archive) == 0 else { throw failed(String(cString: zip_strerror(archive))) }
    isOpen = false
    try AtomicFile.describing("write", path) { try AtomicFile.replace(path, by: neighbour) }
  }

  /// Deflate expands by at most 1,032; an entry that claims more is refused before memory is asked for.
  private static let largestExpansion: zip_uint64_t = 1100
}
