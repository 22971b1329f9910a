internal import Synchronization

/// The jobs of servers that stand behind one address: in a PostgreSQL database, where the one that takes over finds them.
///
///     let lease = try await ServerLease.acquire(at: address, as: "server-1")
///     let store = try PostgreSQLJobStore(at: address, epoch: lease.epoch)
///
/// Each call is a transaction. One that writes looks first whether its server is still the active one, and writes nothing if not:
/// a server that was thought dead, and is not, does no harm. A connection that was lost is made again by the next call.
///
/// What is given to ``update(_:_:)`` must not call the store.
public final class PostgreSQLJobStore: JobStore {
  private let epoch: Int?
  private let connection: Mutex<PostgreSQLConnection>
  private let cache = RecordCache()

  /// Connects, and makes the tables if they are not there.
  ///
  /// - Parameters:
  ///   - address: The database, as libpq takes it: `host=db.example.org dbname=tessera user=tessera`, or a `postgresql://` URL.
  ///   - epoch: That of the server's ``ServerLease``; without one, nothing can be written.
  /// - Throws: ``DeploymentError``, naming the database, with code ``DeploymentError/Code/unavailable`` if it is not there, and
  ///   with code ``DeploymentError/Code/cannotRead`` if it is of a newer version.
  public init(at address: String, epoch: Int?) throws {
    self.epoch = epoch
    let connection = try PostgreSQLConnection(address)
    try PostgreSQLSchema.prepare(connection)
    self.connection = Mutex(connection)
  }

  /// All jobs, in the order in which they arrived.
  public func jobs() throws -> [JobRecord] {
    try read { connection in
      try connection.query("SELECT id, record FROM tessera_jobs ORDER BY number")
        .map { try record($0, connection) }
    }
  }

  /// A job.
  public func job(_ id: String) throws -> JobRecord? {
    try read { try job(id, $0) }
  }

  /// Keeps a job that has just arrived.
  public func add(_ job: JobRecord) throws {
    let text = try job.stored()
    try write { connection in
      do {
        try connection.query(
          "INSERT INTO tessera_jobs (id, state, record) VALUES ($1::text, $2::text, $3::text)",
          [.text(job.id), .text(job.state.name), .text(text)]
        )
      } catch let error as DeploymentError where error.code == .alreadyThere {
        throw DeploymentError.alreadyJob(job.id)
      }
    }
  }

  /// Changes a job.
  @discardableResult
  public func update(
    _ id: String,
    _ change: (inout JobRecord) throws -> Void
  ) throws -> JobRecord {
    try write { connection in
      guard let job = try job(id, connection) else { throw DeploymentError.noJob(id) }
      let changed = try job.changed(by: change)
      guard changed != job else { return job }
      try connection.query(
        "UPDATE tessera_jobs SET state = $2::text, record = $3::text WHERE id = $1::text",
        [.text(id), .text(changed.state.name), .text(try changed.stored())]
      )
      return changed
    }
  }

  /// Forgets a job that is over.
  public func remove(_ id: String) throws {
    try write { connection in
      guard let job = try job(id, connection) else { throw DeploymentError.noJob(id) }
      try job.requireOver()
      try connection.query("DELETE FROM tessera_jobs WHERE id = $1::text", [.text(id)])
      cache.forget(id)
    }
  }

  /// The sites that are given no new jobs.
  public func disabledSites() throws -> Set<String> {
    try read { connection in
      Set(
        try connection.query("SELECT name FROM tessera_disabled_sites")
          .compactMap { $0.first?.text }
      )
    }
  }

  /// Says whether a site is given new jobs.
  public func setSite(_ name: String, isDisabled: Bool) throws {
    try write { connection in
      try connection.query(
        isDisabled
          ? "INSERT INTO tessera_disabled_sites (name) VALUES ($1::text) ON CONFLICT DO NOTHING"
          : "DELETE FROM tessera_disabled_sites WHERE name = $1::text",
        [.text(name)]
      )
    }
  }

  private func job(_ id: String, _ connection: PostgreSQLConnection) throws -> JobRecord? {
    try connection.query("SELECT id, record FROM tessera_jobs WHERE id = $1::text", [.text(id)])
      .first.map { try record($0, connection) }
  }

  private func record(
    _ row: [PostgreSQLConnection.Cell],
    _ connection: PostgreSQLConnection
  ) throws -> JobRecord {
    guard row.count == 2, let id = row[0].text, let text = row[1].text else {
      throw DeploymentError(
        code: .cannotRead,
        message: "\(connection.name) is damaged: a job's record is no text"
      )
    }
    return try cache.record(text, of: id, in: connection.name)
  }

  private func read<Value: Sendable>(
    _ body: (PostgreSQLConnection) throws -> Value
  ) throws -> Value {
    try connection.withLock { connection in
      try connection.reconnect()
      do { return try body(connection) } catch {
        // That a connection was lost while it was idle is noticed here first.
        guard !connection.isAlive else { throw error }
        try connection.reconnect()
        return try body(connection)
      }
    }
  }

  @discardableResult
  private func write<Value: Sendable>(
    _ body: (PostgreSQLConnection) throws -> Value
  ) throws -> Value {
    try connection.withLock { connection in
      try connection.reconnect()
      return try connection.transaction { connection in
        try PostgreSQLSchema.requireLease(epoch ?? -1, connection)
        return try body(connection)
      }
    }
  }
}
