internal import Foundation
internal import SystemPackage

/// The files of kits and of the authority: small, read whole, replaced whole.
enum KitFile {
  /// The text of a file.
  ///
  /// - Throws: ``ProvisioningError`` with code ``ProvisioningError/Code/cannotRead`` if it cannot be read or is larger than
  ///   `limit` bytes, and with code ``ProvisioningError/Code/malformed`` if it is no UTF-8.
  static func text(_ path: FilePath, limit: Int = 1 << 20) throws -> String {
    do {
      let file = try FileDescriptor.open(path, .readOnly, options: [.closeOnExec])
      return try file.closeAfter {
        let size = Int(try file.seek(offset: 0, from: .end))
        guard size <= limit else {
          throw ProvisioningError(
            code: .cannotRead,
            message: "\(path) has \(size) bytes, more than the \(limit) that it may have"
          )
        }
        var bytes = [UInt8](repeating: 0, count: size)
        let count = try bytes.withUnsafeMutableBytes {
          try file.read(fromAbsoluteOffset: 0, into: $0)
        }
        guard let text = String(validating: bytes[..<count], as: UTF8.self) else {
          throw ProvisioningError(code: .malformed, message: "\(path) is no text")
        }
        return text
      }
    } catch let error as Errno {
      throw ProvisioningError(code: .cannotRead, message: "\(path) cannot be read: \(error)")
    }
  }

  /// Writes a file so that a reader finds the old text or the new one, never a part of it.
  ///
  /// - Parameters:
  ///   - text: What it is to hold.
  ///   - path: Where.
  ///   - isSecret: Whether its owner alone may read it.
  ///   - isExecutable: Whether it can be run.
  /// - Throws: ``ProvisioningError`` with code ``ProvisioningError/Code/cannotWrite``; the old file is then as it was.
  static func write(
    _ text: String,
    to path: FilePath,
    isSecret: Bool = false,
    isExecutable: Bool = false
  ) throws {
    let name = path.lastComponent?.string ?? "file"
    let staged = path.removingLastComponent().appending(".\(name).\(UUID().uuidString)")
    let permissions: FilePermissions =
      isSecret
      ? [.ownerReadWrite]
      : isExecutable
        ? FilePermissions(rawValue: 0o755)
        : [
          .ownerReadWrite, .groupRead, .otherRead,
        ]
    do {
      let file = try FileDescriptor.open(
        staged,
        .writeOnly,
        options: [.create, .exclusiveCreate, .closeOnExec],
        permissions: permissions
      )
      do {
        try file.closeAfter {
          _ = try file.writeAll(Array(text.utf8))
          guard fsync(file.rawValue) == 0 else { throw Errno(rawValue: errno) }
        }
        guard rename(staged.string, path.string) == 0 else { throw Errno(rawValue: errno) }
      } catch {
        unlink(staged.string)
        throw error
      }
    } catch let error as Errno {
      throw ProvisioningError(code: .cannotWrite, message: "\(path) cannot be written: \(error)")
    }
  }

  /// Makes a folder and those above it.
  static func makeFolder(_ path: FilePath, isSecret: Bool = false) throws {
    do {
      try FileManager.default.createDirectory(
        atPath: path.string,
        withIntermediateDirectories: true,
        attributes: isSecret ? [.posixPermissions: 0o700] : nil
      )
    } catch {
      throw ProvisioningError(code: .cannotWrite, message: "the folder \(path) cannot be made")
    }
  }

  static func exists(_ path: FilePath) -> Bool {
    FileManager.default.fileExists(atPath: path.string)
  }
}
