internal import Foundation
internal import Synchronization
internal import SystemPackage
internal import TesseraCore

/// A temporary file without a name, which goes with the last reference to it.
///
/// It goes on errors, when a round is cancelled, and even when the process is killed. Updates tell about data, and nobody else
/// can open it.
final class SpoolFile: Sendable {
  private let descriptor: FileDescriptor
  private let folder: FilePath
  private let end = Mutex(0)

  /// A file in a folder, or in the system's for temporary files.
  ///
  /// - Throws: ``TensorError`` with code ``TensorError/Code/fileSystem``.
  init(in folder: String?) throws {
    let folder = FilePath(folder ?? NSTemporaryDirectory())
    self.folder = folder
    descriptor = try Self.describing("make a file for updates in", folder) {
      let path = folder.appending(".tessera-updates-\(UUID().uuidString)")
      let descriptor = try FileDescriptor.open(
        path,
        .readWrite,
        options: [.create, .exclusiveCreate, .closeOnExec],
        permissions: [.ownerReadWrite]
      )
      unlink(path.string)
      return descriptor
    }
  }

  deinit { try? descriptor.close() }

  /// Where so many bytes can be written that nobody else writes to.
  func reserve(_ bytes: Int) -> Int {
    end.withLock { end in
      defer { end += bytes }
      return end
    }
  }

  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws {
    try Self.describing("write updates in", folder) {
      _ = try descriptor.writeAll(toAbsoluteOffset: Int64(offset), bytes)
    }
  }

  func read(into target: UnsafeMutableRawBufferPointer, at offset: Int) throws {
    var done = 0
    while done < target.count {
      let rest = UnsafeMutableRawBufferPointer(rebasing: target[done...])
      let count = try Self.describing("read updates in", folder) {
        try descriptor.read(fromAbsoluteOffset: Int64(offset + done), into: rest)
      }
      guard count > 0 else {
        throw TensorError(code: .fileSystem, message: "updates in \(folder) end too early")
      }
      done += count
    }
  }

  private static func describing<Result>(
    _ what: String,
    _ folder: FilePath,
    _ body: () throws -> Result
  ) throws -> Result {
    do {
      return try body()
    } catch let error as Errno {
      throw TensorError(code: .fileSystem, message: "cannot \(what) \(folder): \(error)")
    }
  }
}
