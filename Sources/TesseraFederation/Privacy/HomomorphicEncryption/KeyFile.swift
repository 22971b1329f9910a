internal import Foundation
internal import SystemPackage
internal import TesseraCore

/// Files of keys.
enum KeyFile {
  /// Keys of the largest parameters are smaller.
  private static let mostBytes = 64 << 20

  static func read(_ path: FilePath) throws -> [UInt8] {
    try describing("read", path) {
      let file = try FileDescriptor.open(path, .readOnly, options: [.closeOnExec])
      return try file.closeAfter { try contents(of: file, path) }
    }
  }

  /// Reads a file that only its owner may touch, as `ssh` does with its keys.
  static func readSecret(_ path: FilePath) throws -> [UInt8] {
    try describing("read", path) {
      let file = try FileDescriptor.open(path, .readOnly, options: [.closeOnExec])
      return try file.closeAfter {
        var status = stat()
        guard fstat(file.rawValue, &status) == 0 else { throw Errno(rawValue: errno) }
        guard status.st_mode & 0o077 == 0 else {
          throw FederationError(
            code: .invalidConfiguration,
            message: """
              \(path): others than its owner may use this secret key (mode \
              \(String(status.st_mode & 0o777, radix: 8))); chmod 600 makes it the owner's alone
              """
          )
        }
        return try contents(of: file, path)
      }
    }
  }

  /// Writes a file of mode 0600, all of it or nothing, and never over another.
  static func writeSecret(_ bytes: [UInt8], to path: FilePath) throws {
    guard let name = path.lastComponent else {
      throw TensorError(code: .fileSystem, message: "'\(path)' is not the name of a file")
    }
    let unique = String(UInt64.random(in: 0 ... .max), radix: 36)
    let neighbour = path.removingLastComponent().appending(".\(name.string).\(unique).partial")
    try describing("write", path) {
      let file = try FileDescriptor.open(
        neighbour,
        .writeOnly,
        options: [.create, .exclusiveCreate, .closeOnExec],
        permissions: [.ownerReadWrite]
      )
      defer { unlink(neighbour.string) }
      try file.closeAfter {
        _ = try file.writeAll(bytes)
        guard fsync(file.rawValue) == 0 else { throw Errno(rawValue: errno) }
      }
      // A second name, where renaming would replace a key that is there.
      guard link(neighbour.string, path.string) == 0 else { throw Errno(rawValue: errno) }
    }
  }

  /// Puts the file's name before what its contents are refused for.
  static func naming<Result>(_ path: FilePath, _ body: () throws -> Result) throws -> Result {
    do {
      return try body()
    } catch let error as FederationError {
      throw FederationError(code: error.code, message: "\(path): \(error.message)")
    }
  }

  private static func contents(of file: FileDescriptor, _ path: FilePath) throws -> [UInt8] {
    let size = try file.seek(offset: 0, from: .end)
    try file.seek(offset: 0, from: .start)
    guard size <= mostBytes else {
      throw FederationError(
        code: .invalidConfiguration,
        message: "\(path): \(size) bytes are more than a key has"
      )
    }
    var bytes = [UInt8](repeating: 0, count: Int(size))
    var filled = 0
    while filled < bytes.count {
      let read = try bytes.withUnsafeMutableBytes {
        try file.read(into: UnsafeMutableRawBufferPointer(rebasing: $0[filled...]))
      }
      guard read > 0 else { break }
      filled += read
    }
    return Array(bytes.prefix(filled))
  }

  private static func describing<Result>(
    _ verb: String,
    _ path: FilePath,
    _ body: () throws -> Result
  ) throws -> Result {
    do {
      return try body()
    } catch let error as Errno {
      throw TensorError(code: .fileSystem, message: "cannot \(verb) \(path): \(error)")
    }
  }
}
