internal import Foundation
internal import Glibc
internal import SystemPackage

/// A file that grows to a size, and then begins anew: what was in it is beside it in one older file, and what was in that is gone.
struct RotatedFile: ~Copyable {
  /// How large a file becomes, in bytes.
  static let usualLimit = 16 << 20

  private let path: FilePath
  private let limit: Int
  private var descriptor: Int32
  /// How large it is.
  private(set) var size: Int

  /// Opens a file at its end.
  ///
  /// - Parameters:
  ///   - path: The file, which need not be there.
  ///   - limit: How large it becomes.
  /// - Throws: `Errno` if the system refuses.
  init(_ path: FilePath, limit: Int = Self.usualLimit) throws {
    self.path = path
    self.limit = limit
    descriptor = try Self.open(path)
    size = max(0, Int(lseek(descriptor, 0, SEEK_END)))
  }

  deinit { close(descriptor) }

  /// Adds bytes.
  ///
  /// A full disk loses what is written, and nothing else.
  ///
  /// - Returns: Whether the file has begun anew.
  @discardableResult
  mutating func write(_ bytes: ArraySlice<UInt8>) -> Bool {
    var isNew = false
    if size > 0, size + bytes.count > limit,
      // An earlier one may have been moved away without a new one in its place, for want of descriptors.
      rename(path.string, path.string + ".1") == 0 || errno == ENOENT,
      let opened = try? Self.open(path)
    {
      close(descriptor)
      (descriptor, size, isNew) = (opened, 0, true)
    }
    let written = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
    size += max(0, written)
    return isNew
  }

  /// The bytes from a place to the end.
  func bytes(from start: Int) -> [UInt8] {
    guard size > start else { return [] }
    var bytes = [UInt8](repeating: 0, count: size - start)
    let count = pread(descriptor, &bytes, bytes.count, off_t(start))
    return Array(bytes.prefix(max(0, count)))
  }

  private static func open(_ path: FilePath) throws -> Int32 {
    let descriptor = Glibc.open(
      path.string,
      O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW,
      0o600
    )
    guard descriptor >= 0 else { throw Errno(rawValue: errno) }
    return descriptor
  }
}
