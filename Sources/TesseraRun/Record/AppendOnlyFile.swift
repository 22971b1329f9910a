internal import Foundation
internal import SystemPackage

/// A file that grows by whole pieces.
///
/// What a failed write has left is cut off again, so that the next piece follows the last whole one.
struct AppendOnlyFile: ~Copyable {
  /// Where it is.
  let path: FilePath
  /// How long it is.
  private(set) var byteCount: Int64
  private let descriptor: FileDescriptor
  /// Why nothing more can be written.
  private var fault: RunError?

  /// Opens a file at its end; without `isNew`, one that may be there already.
  ///
  /// - Throws: ``RunError`` with code ``RunError/Code/cannotWrite`` if the system refuses, or if `isNew` and it is there,
  ///   and with code ``RunError/Code/inUse`` if another has it open.
  init(_ path: FilePath, isNew: Bool = false) throws {
    let descriptor: FileDescriptor
    do {
      descriptor = try FileDescriptor.open(
        path,
        .readWrite,
        options: isNew
          ? [.create, .exclusiveCreate, .append, .closeOnExec] : [.create, .append, .closeOnExec],
        permissions: [.ownerReadWrite, .groupRead, .otherRead]
      )
    } catch {
      throw Self.cannotWrite(path, error)
    }
    let byteCount: Int64
    do {
      guard flock(descriptor.rawValue, LOCK_EX | LOCK_NB) == 0 else {
        throw Errno(rawValue: errno)
      }
      byteCount = try descriptor.seek(offset: 0, from: .end)
    } catch {
      try? descriptor.close()
      throw error as? Errno == .wouldBlock
        ? RunError(code: .inUse, message: "\(path) is in use by another process")
        : Self.cannotWrite(path, error)
    }
    self.path = path
    self.descriptor = descriptor
    self.byteCount = byteCount
    // The name is in the folder, which has to reach the disk before anything is in the file. Some file systems cannot; the
    // file is there all the same.
    if byteCount == 0 {
      let parent = path.removingLastComponent()
      if let folder = try? FileDescriptor.open(parent.isEmpty ? "." : parent, .readOnly) {
        fsync(folder.rawValue)
        try? folder.close()
      }
    }
  }

  deinit {
    // A process that is just being started has the descriptor too, and would keep the lock until it runs its program.
    flock(descriptor.rawValue, LOCK_UN)
    try? descriptor.close()
  }

  /// Adds bytes.
  ///
  /// - Parameters:
  ///   - bytes: Are in the file as a whole afterwards, or not at all.
  ///   - isDurable: Whether they reach the disk before this returns.
  /// - Throws: ``RunError`` with code ``RunError/Code/cannotWrite``.
  mutating func append(_ bytes: [UInt8], isDurable: Bool) throws(RunError) {
    if let fault { throw fault }
    do {
      try descriptor.writeAll(bytes)
    } catch {
      let failure = Self.cannotWrite(path, error)
      do { try cut(to: byteCount) } catch { fault = failure }
      throw failure
    }
    if isDurable {
      do {
        try synchronize()
      } catch {
        // What is on the disk is unknown now, and asking again would not tell: the system drops what it could not write.
        fault = error
        try? descriptor.resize(to: byteCount)
        throw error
      }
    }
    byteCount += Int64(bytes.count)
  }

  /// Drops what comes after `count` bytes.
  mutating func cut(to count: Int64) throws(RunError) {
    do {
      try descriptor.resize(to: count)
    } catch {
      throw Self.cannotWrite(path, error)
    }
    byteCount = count
    try synchronize()
  }

  /// Calls `body` with the file's bytes, in order, in pieces of at most a mebibyte.
  func read(_ body: (ArraySlice<UInt8>) throws -> Void) throws {
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    var offset: Int64 = 0
    while true {
      let count: Int
      do {
        count = try buffer.withUnsafeMutableBytes {
          try descriptor.read(fromAbsoluteOffset: offset, into: $0)
        }
      } catch let error as Errno {
        throw RunError(code: .malformedRecord, message: "cannot read \(path): \(error)")
      }
      guard count > 0 else { return }
      offset += Int64(count)
      try body(buffer[..<count])
    }
  }

  private func synchronize() throws(RunError) {
    while fdatasync(descriptor.rawValue) != 0 {
      let error = Errno(rawValue: errno)
      if error != .interrupted { throw Self.cannotWrite(path, error) }
    }
  }

  private static func cannotWrite(_ path: FilePath, _ error: any Error) -> RunError {
    RunError(code: .cannotWrite, message: "cannot write \(path): \(error)")
  }
}
