internal import Foundation
internal import Synchronization
internal import SystemPackage

/// The thread that holds a lease: it waits for the lock, then looks each second whether it is still its own, and does nothing else.
final class LeaseThread: Sendable {
  private enum Phase {
    case waiting
    case holding(epoch: Int)
    case over(any Error)
  }

  private struct State {
    var phase = Phase.waiting
    /// Those that wait for the lease.
    var hopeful: [CheckedContinuation<Int, any Error>] = []
    /// Those that wait for its end.
    var watchers: [UUID: CheckedContinuation<Void, any Error>] = [:]
  }

  private let state = Mutex(State())
  /// A byte in it wakes the thread.
  private let bell: (readEnd: FileDescriptor, writeEnd: FileDescriptor)
  /// Is called on the thread, before anybody else is told.
  private let onLoss: @Sendable (any Error) -> Void

  /// Starts to wait.
  ///
  /// The thread keeps this alive until it ends.
  init(
    _ address: String,
    _ holder: String,
    _ federation: String?,
    onLoss: @escaping @Sendable (any Error) -> Void
  ) throws {
    self.onLoss = onLoss
    do {
      bell = try FileDescriptor.pipe()
    } catch {
      throw DeploymentError(code: .unavailable, message: "the system has no pipes left: \(error)")
    }
    for descriptor in [bell.readEnd, bell.writeEnd] {
      _ = fcntl(descriptor.rawValue, F_SETFD, FD_CLOEXEC)
    }
    let thread = Thread { [self] in
      do {
        try hold(address, holder, federation)
      } catch {
        finish(with: error)
      }
    }
    thread.name = "tessera lease"
    thread.start()
  }

  deinit {
    try? bell.readEnd.close()
    try? bell.writeEnd.close()
  }

  /// Ends the thread, and with it its connection.
  func stop() { _ = try? bell.writeEnd.writeAll([0]) }

  /// The epoch, once the lease is held.
  func epoch() async throws -> Int {
    try await withCheckedThrowingContinuation { continuation in
      let known: Result<Int, any Error>? = state.withLock { state in
        switch state.phase {
        case .waiting:
          state.hopeful.append(continuation)
          return nil
        case .holding(let epoch): return .success(epoch)
        case .over(let error): return .failure(error)
        }
      }
      if let known { continuation.resume(with: known) }
    }
  }

  /// Why the thread has ended, once it has.
  func end() async throws -> DeploymentError {
    let watcher = UUID()
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let isKnown = state.withLock { state in
          if case .over = state.phase { return true }
          if Task.isCancelled { return true }
          state.watchers[watcher] = continuation
          return false
        }
        if isKnown { continuation.resume() }
      }
    } onCancel: {
      state.withLock { $0.watchers.removeValue(forKey: watcher) }?
        .resume(throwing: CancellationError())
    }
    try Task.checkCancellation()
    let reason = state.withLock { state in
      if case .over(let error) = state.phase { return error as? DeploymentError }
      return nil
    }
    return reason ?? DeploymentError(code: .unavailable, message: "the lease was given up")
  }

  private func hold(_ address: String, _ holder: String, _ federation: String?) throws {
    let connection = try PostgreSQLConnection(address)
    guard try !connection.isPooled() else { throw PostgreSQLSchema.pooled(connection) }
    try PostgreSQLSchema.require(federation, connection)
    let (locks, lease) = (PostgreSQLSchema.locks, PostgreSQLSchema.lease)
    _ = try ask("SELECT pg_advisory_lock(\(locks), \(lease))", [], connection)
    // Not before: the active server may be of an older version.
    try PostgreSQLSchema.prepare(connection)
    // Another federation's server may have come first.
    try PostgreSQLSchema.require(federation, connection)
    let row = try ask(
      """
      UPDATE tessera_lease SET epoch = epoch + 1, holder = $1::text, \
      federation = coalesce(federation, nullif($2::text, '')) RETURNING epoch
      """,
      [.text(holder), .text(federation ?? "")],
      connection
    ).first
    guard let epoch = row?.first?.integer else {
      throw DeploymentError(
        code: .cannotRead,
        message: "\(connection.name) is damaged: it has no row for the lease"
      )
    }
    let hopeful = state.withLock { state in
      state.phase = .holding(epoch: epoch)
      defer { state.hopeful = [] }
      return state.hopeful
    }
    for continuation in hopeful { continuation.resume(returning: epoch) }
    // The connection's end is the lease's. A connection that stays, while the database behind it is another one, is noticed by
    // what it says.
    while true {
      if try wait(for: connection, Self.interval) {
        try connection.receive()
      } else {
        try requireOwn(epoch, connection)
      }
    }
  }

  /// How often the lease is looked at, and how long the answer may take, in milliseconds.
  private static let interval: Int32 = 1000
  private static let patience: Int32 = 5000

  /// Asks the database whose the lease is.
  private func requireOwn(_ epoch: Int, _ connection: PostgreSQLConnection) throws {
    let rows = try ask(
      "SELECT epoch FROM tessera_lease",
      [],
      connection,
      within: Self.patience
    )
    guard rows.first?.first?.integer == epoch else {
      throw DeploymentError(
        code: .notActive,
        message: "\(connection.name) has given the lease to another server"
      )
    }
  }

  /// Carries out a statement that may take for ever, or so many milliseconds from one sign of the database to the next.
  private func ask(
    _ statement: String,
    _ values: [PostgreSQLConnection.Value],
    _ connection: PostgreSQLConnection,
    within limit: Int32 = -1
  ) throws -> [[PostgreSQLConnection.Cell]] {
    try connection.send(statement, values)
    while connection.isBusy {
      guard try wait(for: connection, limit) else {
        throw DeploymentError(
          code: .unavailable,
          message: "\(connection.name) does not answer"
        )
      }
      try connection.receive()
    }
    return try connection.answer()
  }

  /// Waits until the server says something, or is gone.
  ///
  /// - Parameters:
  ///   - connection: To the server.
  ///   - limit: How many milliseconds; without end if it is negative.
  /// - Returns: Whether it says something.
  /// - Throws: `CancellationError` if the thread is to end.
  private func wait(for connection: PostgreSQLConnection, _ limit: Int32) throws -> Bool {
    var descriptors = [
      pollfd(fd: connection.socket, events: Int16(POLLIN), revents: 0),
      pollfd(fd: bell.readEnd.rawValue, events: Int16(POLLIN), revents: 0),
    ]
    while poll(&descriptors, nfds_t(descriptors.count), limit) < 0 {
      guard errno == EINTR else {
        throw DeploymentError(
          code: .unavailable,
          message: "\(connection.name) cannot be waited for: \(Errno(rawValue: errno))"
        )
      }
    }
    if descriptors[1].revents != 0 { throw CancellationError() }
    return descriptors[0].revents != 0
  }

  /// Tells all that wait.
  ///
  /// The connection is closed by then, so that nobody holds the lease any longer.
  private func finish(with error: any Error) {
    if state.withLock({ if case .holding = $0.phase { true } else { false } }),
      !(error is CancellationError)
    {
      onLoss(error)
    }
    let (hopeful, watchers) = state.withLock { state in
      state.phase = .over(error)
      defer { (state.hopeful, state.watchers) = ([], [:]) }
      return (state.hopeful, state.watchers.values)
    }
    for continuation in hopeful { continuation.resume(throwing: error) }
    for continuation in watchers { continuation.resume() }
  }
}
