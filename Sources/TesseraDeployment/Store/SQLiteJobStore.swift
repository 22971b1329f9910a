internal import GRDB
public import SystemPackage

/// The jobs of a server that keeps its state itself: in a file of SQLite.
///
///     let store = try SQLiteJobStore(at: folder.appending("jobs.sqlite"))
///     try store.add(job)
///
/// Beside the file lie its log (`-wal`, `-shm`) and `.lock`. One process at a time can open it, and what a call has written
/// is on the disk when it returns. A kill at any moment leaves what was written until then, whole.
///
/// What is given to ``update(_:_:)`` must not call the store.
public final class SQLiteJobStore: JobStore {
  /// Where the file lies.
  public let path: FilePath
  private let queue: DatabaseQueue
  private let lock: StoreLock
  private let cache = RecordCache()

  /// Opens a store, or makes one.
  ///
  /// - Parameter path: The file, in a folder that is there.
  /// - Throws: ``DeploymentError``, naming the file: ``DeploymentError/Code/unavailable`` if another process has it open,
  ///   ``DeploymentError/Code/cannotRead`` if it is damaged, something else, or of a newer version, and
  ///   ``DeploymentError/Code/cannotWrite`` if the system refuses.
  public init(at path: FilePath) throws {
    self.path = path
    lock = try StoreLock(of: path)
    queue = try Self.reporting(path) {
      var configuration = Configuration()
      // Someone may look at it with another program, or copy it.
      configuration.busyMode = .timeout(5)
      let queue = try DatabaseQueue(path: path.string, configuration: configuration)
      try queue.writeWithoutTransaction { try Self.prepare($0, path) }
      let migrator = Self.migrator
      guard try !queue.read(migrator.hasBeenSuperseded) else {
        throw DeploymentError(
          code: .cannotRead,
          message: "\(path) was written by a newer version of Tessera, which this one cannot read"
        )
      }
      try migrator.migrate(queue)
      return queue
    }
  }

  deinit {
    // The right to the file is given up afterwards.
    try? queue.close()
  }

  /// All jobs, in the order in which they arrived.
  public func jobs() throws -> [JobRecord] {
    try reporting {
      try queue.read { database in
        try Row.fetchAll(database, sql: "SELECT id, record FROM jobs ORDER BY number")
          .map(record)
      }
    }
  }

  /// A job.
  public func job(_ id: String) throws -> JobRecord? {
    try reporting { try queue.read { try job(id, $0) } }
  }

  /// Keeps a job that has just arrived.
  public func add(_ job: JobRecord) throws {
    try reporting {
      try queue.write { database in
        do {
          try database.execute(
            sql: "INSERT INTO jobs (id, state, record) VALUES (?, ?, ?)",
            arguments: [job.id, job.state.name, try job.stored()]
          )
        } catch let error as DatabaseError where error.resultCode == .SQLITE_CONSTRAINT {
          throw DeploymentError.alreadyJob(job.id)
        }
      }
    }
  }

  /// Changes a job.
  @discardableResult
  public func update(
    _ id: String,
    _ change: (inout JobRecord) throws -> Void
  ) throws -> JobRecord {
    try reporting {
      try queue.write { database in
        guard let job = try job(id, database) else { throw DeploymentError.noJob(id) }
        let changed = try job.changed(by: change)
        guard changed != job else { return job }
        try database.execute(
          sql: "UPDATE jobs SET state = ?, record = ? WHERE id = ?",
          arguments: [changed.state.name, try changed.stored(), id]
        )
        return changed
      }
    }
  }

  /// Forgets a job that is over.
  public func remove(_ id: String) throws {
    try reporting {
      try queue.write { database in
        guard let job = try job(id, database) else { throw DeploymentError.noJob(id) }
        try job.requireOver()
        try database.execute(sql: "DELETE FROM jobs WHERE id = ?", arguments: [id])
        cache.forget(id)
      }
    }
  }

  /// The sites that are given no new jobs.
  public func disabledSites() throws -> Set<String> {
    try reporting {
      try queue.read { Set(try String.fetchAll($0, sql: "SELECT name FROM disabled_sites")) }
    }
  }

  /// Says whether a site is given new jobs.
  public func setSite(_ name: String, isDisabled: Bool) throws {
    try reporting {
      try queue.write { database in
        try database.execute(
          sql: isDisabled
            ? "INSERT OR IGNORE INTO disabled_sites (name) VALUES (?)"
            : "DELETE FROM disabled_sites WHERE name = ?",
          arguments: [name]
        )
      }
    }
  }

  private func job(_ id: String, _ database: Database) throws -> JobRecord? {
    try Row.fetchOne(database, sql: "SELECT id, record FROM jobs WHERE id = ?", arguments: [id])
      .map(record)
  }

  private func record(_ row: Row) throws -> JobRecord {
    guard let id = String.fromDatabaseValue(row["id"]),
      let text = String.fromDatabaseValue(row["record"])
    else { throw Self.damaged(path, "a job's record is no text") }
    return try cache.record(text, of: id, in: path.string)
  }

  private func reporting<Value>(_ body: () throws -> Value) throws -> Value {
    try Self.reporting(path, body)
  }
}

extension SQLiteJobStore {
  /// What tells a store from other files of SQLite: `Tess`, in ASCII.
  private static let application: Int32 = 0x5465_7373

  private static var migrator: DatabaseMigrator {
    var migrator = DatabaseMigrator()
    migrator.registerMigration("1: jobs and disabled sites") { database in
      try database.execute(
        sql: """
          CREATE TABLE jobs (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            id TEXT NOT NULL UNIQUE,
            state TEXT NOT NULL,
            record TEXT NOT NULL
          ) STRICT;
          CREATE TABLE disabled_sites (name TEXT NOT NULL PRIMARY KEY) STRICT;
          """
      )
    }
    // Programs of before cannot read what is written from now on, and say so.
    migrator.registerMigration("2: states in one form") { database in
      for row in try Row.fetchAll(database, sql: "SELECT id, record FROM jobs") {
        let (id, text): (String, String) = (row["id"], row["record"])
        let record = try JobRecord(stored: text, of: id, in: "the store")
        try database.execute(
          sql: "UPDATE jobs SET record = ? WHERE id = ?",
          arguments: [try record.stored(), id]
        )
      }
    }
    return migrator
  }

  /// Looks whether the file is a store, or new, and sets how it is written.
  private static func prepare(_ database: Database, _ path: FilePath) throws {
    let application = try Int32.fetchOne(database, sql: "PRAGMA application_id") ?? 0
    let tables = try Int.fetchOne(database, sql: "SELECT COUNT(*) FROM sqlite_schema") ?? 0
    guard application == Self.application || (application == 0 && tables == 0) else {
      throw DeploymentError(
        code: .cannotRead,
        message: "\(path) is a database, but not of a server's jobs"
      )
    }
    guard try String.fetchOne(database, sql: "PRAGMA quick_check(1)") == "ok" else {
      throw damaged(path, "its pages do not fit together")
    }
    // A transaction is then one write to the log and one wait for the disk.
    guard try String.fetchOne(database, sql: "PRAGMA journal_mode = WAL") == "wal" else {
      throw DeploymentError(
        code: .cannotWrite,
        message: "\(path) lies where SQLite cannot keep its log"
      )
    }
    try database.execute(sql: "PRAGMA synchronous = FULL")
    if application == 0 {
      try database.execute(sql: "PRAGMA application_id = \(Self.application)")
    }
  }

  private static func damaged(_ path: FilePath, _ what: String) -> DeploymentError {
    DeploymentError(code: .cannotRead, message: "\(path) is damaged: \(what)")
  }

  /// Turns errors of SQLite into such as name the file.
  ///
  /// What they say of statements, which hold records, is left out.
  private static func reporting<Value>(
    _ path: FilePath,
    _ body: () throws -> Value
  ) throws -> Value {
    do {
      return try body()
    } catch let error as DatabaseError {
      let reason = "\(error.resultCode)"
      throw switch error.resultCode {
      case .SQLITE_NOTADB:
        DeploymentError(code: .cannotRead, message: "\(path) is damaged, or no database: \(reason)")
      case .SQLITE_CORRUPT, .SQLITE_ERROR, .SQLITE_SCHEMA, .SQLITE_FORMAT:
        damaged(path, reason)
      case .SQLITE_FULL:
        DeploymentError(code: .cannotWrite, message: "cannot write \(path): the disk is full")
      case .SQLITE_BUSY, .SQLITE_LOCKED:
        DeploymentError(code: .unavailable, message: "\(path) is in use: \(reason)")
      default:
        DeploymentError(code: .cannotWrite, message: "cannot open or write \(path): \(reason)")
      }
    }
  }
}
