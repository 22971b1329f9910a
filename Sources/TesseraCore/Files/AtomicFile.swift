internal import Foundation
public import SystemPackage

/// Writing of files that are either complete or not there at all.
///
/// The bytes go to a hidden neighbour, reach the disk, and then take the file's name in one step. When anything fails, the
/// neighbour is removed and an earlier file of that name is still whole.
public enum AtomicFile {
  /// What ``AtomicFile/write(to:_:)`` hands to its closure.
  public struct Writer: ~Copyable {
    fileprivate let descriptor: FileDescriptor

    /// Appends bytes.
    public func write(_ bytes: UnsafeRawBufferPointer) throws {
      try descriptor.writeAll(bytes)
    }

    /// Appends text as UTF-8.
    public func write(_ text: String) throws {
      try descriptor.writeAll(text.utf8)
    }
  }

  /// Writes a file.
  ///
  /// - Parameters:
  ///   - path: The file's name; an earlier file of that name is replaced.
  ///   - isDurable: Whether the bytes are on the disk when this returns; a file that only another process is to read, which
  ///     nobody needs after a power cut, does not have to be.
  ///   - body: Writes the contents.
  /// - Throws: ``TensorError`` with code ``TensorError/Code/fileSystem`` if the system refuses, and whatever `body` throws.
  public static func write(
    to path: FilePath,
    isDurable: Bool = true,
    _ body: (borrowing Writer) throws -> Void
  ) throws {
    let neighbour = try partialName(for: path)
    try describing("write", path) {
      let descriptor = try FileDescriptor.open(
        neighbour,
        .writeOnly,
        options: [.create, .exclusiveCreate],
        permissions: [.ownerReadWrite, .groupRead, .otherRead]
      )
      do {
        try descriptor.closeAfter { try body(Writer(descriptor: descriptor)) }
        try replace(path, by: neighbour, isDurable: isDurable)
      } catch {
        unlink(neighbour.string)
        throw error
      }
    }
  }

  /// Writes text to a file.
  public static func write(_ text: String, to path: FilePath) throws {
    try write(to: path) { try $0.write(text) }
  }

  /// A hidden name beside `path`, for a file that is not complete.
  static func partialName(for path: FilePath) throws -> FilePath {
    guard let name = path.lastComponent else {
      throw TensorError(code: .fileSystem, message: "'\(path)' is not the name of a file")
    }
    let unique = String(UInt64.random(in: 0 ... .max), radix: 36)
    return path.removingLastComponent().appending(".\(name.string).\(unique).partial")
  }

  /// Gives `neighbour` the name `path`, once its bytes have reached the disk.
  static func replace(
    _ path: FilePath,
    by neighbour: FilePath,
    isDurable: Bool = true
  ) throws {
    guard isDurable else {
      guard rename(neighbour.string, path.string) == 0 else { throw Errno(rawValue: errno) }
      return
    }
    let descriptor = try FileDescriptor.open(neighbour, .readOnly)
    try descriptor.closeAfter {
      // Without this, a power cut could leave the new name on an empty file.
      guard fsync(descriptor.rawValue) == 0 else { throw Errno(rawValue: errno) }
    }
    guard rename(neighbour.string, path.string) == 0 else { throw Errno(rawValue: errno) }
    // The name is in the folder, which has to reach the disk as well. Some file systems cannot; the file is there all the same.
    let parent = path.removingLastComponent()
    if let folder = try? FileDescriptor.open(parent.isEmpty ? "." : parent, .readOnly) {
      fsync(folder.rawValue)
      try? folder.close()
    }
  }

  /// Turns the system's refusals into errors that name the file.
  static func describing<Result>(
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
