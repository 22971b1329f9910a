internal import Synchronization

/// The first of several errors, noted from any thread.
final class FirstFailure: Sendable {
  private let error = Mutex<(any Error)?>(nil)

  func note(_ new: any Error) { error.withLock { $0 = $0 ?? new } }

  /// Throws it, if there is one.
  func check() throws {
    if let error = error.withLock({ $0 }) { throw error }
  }
}
