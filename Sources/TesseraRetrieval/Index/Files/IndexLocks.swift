internal import Foundation
internal import SystemPackage

/// Who may do what with an index's folder, among processes.
///
/// One has the right to write, for as long as it has the index open. Who reads says so for the time of a search; rows that became free are
/// written over only once nobody reads what was before, so that no search finds another entry's vector under an id.
final class IndexLocks {
  private let writer: FileDescriptor?
  private let readers: FileDescriptor

  /// Takes the right to write, or to read.
  ///
  /// - Throws: ``RetrievalError``: ``RetrievalError/Code/inUse`` if another has the right to write, ``RetrievalError/Code/cannotWrite`` or
  ///   ``RetrievalError/Code/missingFile`` if the system refuses.
  init(_ folder: FilePath, isWriting: Bool) throws {
    readers = try Self.open(folder.appending("readers.lock"), isWriting)
    guard isWriting else {
      writer = nil
      return
    }
    do {
      let descriptor = try Self.open(folder.appending("writer.lock"), true)
      guard flock(descriptor.rawValue, LOCK_EX | LOCK_NB) == 0 else {
        let error = Errno(rawValue: errno)
        try? descriptor.close()
        throw error == .wouldBlock
          ? RetrievalError(
            code: .inUse,
            message: "the index \(folder) is being written by another process: one at a time may"
          )
          : RetrievalError(code: .cannotWrite, message: "cannot lock \(folder): \(error)")
      }
      writer = descriptor
    } catch {
      try? readers.close()
      throw error
    }
  }

  deinit {
    // A process that is just being started has the descriptors too, and would keep the locks until it runs its program.
    for descriptor in [writer, readers].compactMap(\.self) {
      flock(descriptor.rawValue, LOCK_UN)
      try? descriptor.close()
    }
  }

  /// Searches while no row is written over.
  func reading<Result>(_ body: () throws -> Result) throws -> Result {
    while flock(readers.rawValue, LOCK_SH) != 0 {
      guard errno == EINTR else {
        throw RetrievalError(
          code: .unavailable,
          message: "cannot lock the index: \(Errno(rawValue: errno))"
        )
      }
    }
    defer { flock(readers.rawValue, LOCK_UN) }
    return try body()
  }

  /// Whether nobody searches at this moment.
  ///
  /// Whoever begins after it finds the rows free that are free now, and looks at none of them: they may be written over. So the lock is
  /// given back at once, and no reader ever waits for what is written.
  func nobodyReads() -> Bool {
    guard flock(readers.rawValue, LOCK_EX | LOCK_NB) == 0 else { return false }
    flock(readers.rawValue, LOCK_UN)
    return true
  }

  private static func open(_ path: FilePath, _ isWriting: Bool) throws -> FileDescriptor {
    do {
      return try FileDescriptor.open(
        path,
        isWriting ? .readWrite : .readOnly,
        options: isWriting ? [.create, .closeOnExec] : [.closeOnExec],
        permissions: [.ownerReadWrite, .groupReadWrite, .otherRead]
      )
    } catch {
      throw RetrievalError(
        code: isWriting ? .cannotWrite : .missingFile,
        message: "cannot open \(path): \(error)"
      )
    }
  }
}
