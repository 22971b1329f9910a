internal import Foundation
internal import SystemPackage

/// The right to a store's file, which one server has at a time.
///
/// It ends with the last reference to it, and with the process, however that ends.
final class StoreLock: Sendable {
  private let descriptor: FileDescriptor

  /// Takes the lock of a store.
  ///
  /// A file beside the store carries it: closing any descriptor of the store's own file would drop the locks that SQLite has
  /// on it.
  ///
  /// - Throws: ``DeploymentError`` with code ``DeploymentError/Code/unavailable`` if another has it, and with code
  ///   ``DeploymentError/Code/cannotWrite`` if the system refuses.
  init(of store: FilePath) throws {
    let path = FilePath(store.string + ".lock")
    do {
      descriptor = try FileDescriptor.open(
        path,
        .readWrite,
        options: [.create, .closeOnExec],
        permissions: [.ownerReadWrite]
      )
    } catch let error as Errno {
      throw DeploymentError(code: .cannotWrite, message: "cannot write \(path): \(error)")
    }
    // The descriptor is closed by `deinit` in either case.
    guard flock(descriptor.rawValue, LOCK_EX | LOCK_NB) == 0 else {
      let error = Errno(rawValue: errno)
      guard error == .wouldBlock else {
        throw DeploymentError(code: .cannotWrite, message: "cannot lock \(path): \(error)")
      }
      throw DeploymentError(
        code: .unavailable,
        message: "\(store) is in use by another server: one server at a time owns it"
      )
    }
  }

  deinit {
    // A process that is just being started has the descriptor too, and would keep the lock until it runs its program.
    flock(descriptor.rawValue, LOCK_UN)
    try? descriptor.close()
  }
}
