internal import Synchronization

/// Asks for one look at all jobs, however often it is asked for before that begins.
final class DueLook: Sendable {
  private let isDue = Mutex(false)
  private let look: @Sendable () -> Void

  /// - Parameter look: Has somebody look, later.
  init(_ look: @escaping @Sendable () -> Void) { self.look = look }

  /// Something has happened that a look is for.
  func ask() {
    let isFirst = isDue.withLock { isDue in
      defer { isDue = true }
      return !isDue
    }
    if isFirst { look() }
  }

  /// The look begins: what happens from now on is for the next one.
  func begin() { isDue.withLock { $0 = false } }
}
