internal import Foundation
internal import SystemPackage

/// The right to write to a run's folder, which one process has at a time.
///
/// It ends with the last reference to it, and with the process, however that ends.
public final class RecordLock: Sendable {
  private let descriptor: FileDescriptor

  /// Takes the lock, or returns `nil` if another process has it.
  ///
  /// - Throws: `Errno` if the folder cannot be opened.
  init?(_ folder: FilePath, isShared: Bool = false) throws {
    descriptor = try FileDescriptor.open(folder, .readOnly, options: [.directory])
    // The descriptor is closed by `deinit` in either case.
    guard flock(descriptor.rawValue, (isShared ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0 else {
      guard errno == EWOULDBLOCK else { throw Errno(rawValue: errno) }
      return nil
    }
  }

  deinit {
    // A process that is just being started has the descriptor too, and would keep the lock until it runs its program.
    flock(descriptor.rawValue, LOCK_UN)
    try? descriptor.close()
  }
}
