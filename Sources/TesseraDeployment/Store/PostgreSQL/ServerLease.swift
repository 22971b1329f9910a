internal import Synchronization

/// The right to be the active one of two servers behind one address.
///
///     let lease = try await ServerLease.acquire(at: address, as: "server-2")  // a standby waits here
///     let store = try PostgreSQLJobStore(at: address, epoch: lease.epoch)
///     …
///
/// The lease is a lock that a connection to the database holds: when the active server, its machine or its network dies, the
/// connection falls, and the lock with it, and the standby, which waits for nothing else, has it. Each holder has an
/// ``epoch``, which counts up; whatever writes into the database looks at it, so a holder that has not noticed yet that it is
/// none any longer writes nothing. A machine that is gone without a word is noticed after some three seconds. The holder looks each
/// second whether the lease is still its own: behind a connection that stays there may be another database than before.
public final class ServerLease: Sendable {
  /// The number of this lease; each one that follows has a larger.
  public let epoch: Int
  private let thread: LeaseThread

  private init(epoch: Int, thread: LeaseThread) {
    self.epoch = epoch
    self.thread = thread
  }

  /// Gives the lease up.
  deinit { thread.stop() }

  /// Waits until the lease is free, and takes it.
  ///
  /// - Parameters:
  ///   - address: The database, as of ``PostgreSQLJobStore/init(at:epoch:)``.
  ///   - holder: The server's name, for messages.
  ///   - federation: The name of its federation, which the database is for from the first time on; not looked at if `nil`.
  ///   - onLoss: Is called when the lease is lost, with the reason, on a thread of its own that waits for nothing: the place to
  ///     end a process that must not act any longer. Not if the lease was given up.
  /// - Returns: The lease, which is given up when it is kept no longer.
  /// - Throws: ``DeploymentError`` with code ``DeploymentError/Code/unavailable`` if the database is not there, also later while
  ///   waiting, and with code ``DeploymentError/Code/notAllowed`` if it is another federation's; `CancellationError` if the task is
  ///   cancelled.
  public static func acquire(
    at address: String,
    as holder: String,
    of federation: String? = nil,
    onLoss: @escaping @Sendable (any Error) -> Void = { _ in }
  ) async throws -> ServerLease {
    let thread = try LeaseThread(address, holder, federation, onLoss: onLoss)
    return try await withTaskCancellationHandler {
      ServerLease(epoch: try await thread.epoch(), thread: thread)
    } onCancel: {
      thread.stop()
    }
  }

  /// Waits until the lease is lost.
  ///
  /// - Returns: Why; after ``release()``, that it was given up.
  /// - Throws: `CancellationError` if the task is cancelled; the lease is held on.
  public func lost() async throws -> DeploymentError { try await thread.end() }

  /// Gives the lease up; another server may have it from now on.
  public func release() { thread.stop() }
}
