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
  /// How much of it is on the disk for certain.
  private var durableCount: Int64
  private let descriptor: FileDescriptor
  private let bringToDisk: @Sendable (FileDescriptor) throws(Errno) -> Void
  /// Why nothing more can be written.
  private var fault: RunError?

  /// Opens a file at its end; without `isNew`, one that may be there already, which is on the disk by then.
  ///
  /// - Parameters:
  ///   - path: The file, in a folder that is there.
  ///   - isNew: Whether it must not be there.
  ///   - bringToDisk: Has the system write to the disk what it has of the file.
  /// - Throws: ``RunError`` with code ``RunError/Code/cannotWrite`` if the system refuses, or if `isNew` and it is there,
  ///   and with code ``RunError/Code/inUse`` if another has it open.
  init(
    _ path: FilePath,
    isNew: Bool = false,
    bringToDisk: @escaping @Sendable (FileDescriptor) throws(Errno) -> Void = Self.synchronize
  ) throws {
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
      // What a process that was killed has left may be with the system alone.
      if byteCount > 0 { try bringToDisk(descriptor) }
    } catch {
      try? descriptor.close()
      throw error as? Errno == .wouldBlock
        ? RunError(code: .inUse, message: "\(path) is in use by another process")
        : Self.cannotWrite(path, error)
    }
    self.path = path
    self.descriptor = descriptor
    self.byteCount = byteCount
    self.bringToDisk = bringToDisk
    durableCount = byteCount
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
    let count = byteCount + Int64(bytes.count)
    if isDurable, durableCount < count {
      do {
        try synchronize()
      } catch {
        // What is on the disk is unknown now, and asking again would not tell: the system drops what it could not write. Neither
        // is the next who opens the file to find lines that only look as if they were there.
        fault = error
        try? descriptor.resize(to: durableCount)
        throw error
      }
      durableCount = count
    }
    byteCount = count
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
    durableCount = count
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
    do { try bringToDisk(descriptor) } catch { throw Self.cannotWrite(path, error) }
  }

  /// By the system's own call.
  @Sendable static func synchronize(_ file: FileDescriptor) throws(Errno) {
    while fdatasync(file.rawValue) != 0 {
      let error = Errno(rawValue: errno)
      if error != .interrupted { throw error }
    }
  }

  private static func cannotWrite(_ path: FilePath, _ error: any Error) -> RunError {
    RunError(code: .cannotWrite, message: "cannot write \(path): \(error)")
  }
}
