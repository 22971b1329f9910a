internal import Crypto
public import Foundation
public import SystemPackage

/// Digests of files, which may be larger than memory.
public enum FileDigest {
  /// The SHA-256 digest of a file's first bytes, hexadecimal.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - count: How many bytes; all of them if `nil`.
  /// - Returns: The digest.
  /// - Throws: ``DeploymentError`` with code ``DeploymentError/Code/cannotRead``.
  public static func of(_ path: FilePath, first count: Int? = nil) throws -> String {
    do {
      let file = try FileDescriptor.open(path, .readOnly, options: [.closeOnExec])
      return try file.closeAfter {
        var hash = SHA256()
        try read(file, first: count) { hash.update(data: $0) }
        return Hexadecimal.text(hash.finalize())
      }
    } catch let error as Errno {
      throw DeploymentError(code: .cannotRead, message: "\(path) cannot be read: \(error)")
    }
  }

  /// Reads a file from its beginning, a piece at a time.
  ///
  /// - Parameters:
  ///   - file: The file.
  ///   - count: How many bytes; all of them if `nil`.
  ///   - body: Takes the pieces, in order.
  /// - Throws: `Errno` if the file cannot be read; what `body` throws.
  public static func read(
    _ file: FileDescriptor,
    first count: Int? = nil,
    _ body: (Data) throws -> Void
  ) throws {
    var offset = 0
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    while offset < count ?? .max {
      let wanted = min(buffer.count, (count ?? .max) - offset)
      let got = try buffer.withUnsafeMutableBytes {
        try file.read(
          fromAbsoluteOffset: Int64(offset),
          into: UnsafeMutableRawBufferPointer(rebasing: $0[..<wanted])
        )
      }
      guard got > 0 else { return }
      try body(Data(buffer[..<got]))
      offset += got
    }
  }
}
