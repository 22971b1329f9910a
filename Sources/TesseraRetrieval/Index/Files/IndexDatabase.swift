internal import Foundation
internal import GRDB
internal import SystemPackage

/// The entries of an index, in a file of SQLite: which row of the vectors' file is whose.
///
/// Every row below the number of rows is an entry's or free. What a transaction changes is there as a whole or not at all, also after a
/// kill or a power cut.
final class IndexDatabase {
  /// What an index is for.
  struct Identity: Equatable {
    /// Random, and in the vectors' file too.
    var index: String
    /// The model's digest.
    var model: String
    var dimension: Int
  }

  /// What a search needs to know of the rows.
  struct State: Equatable {
    /// How many rows there are.
    var rows: Int
    /// Counts transactions.
    var change: Int
  }

  let path: FilePath
  private let queue: DatabaseQueue

  /// Opens a database, or makes one.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - isWriting: Without it, nothing is made or changed.
  /// - Throws: ``RetrievalError``, naming the file.
  init(_ path: FilePath, isWriting: Bool) throws {
    self.path = path
    queue = try Self.reporting(path) {
      if !isWriting, !FileManager.default.fileExists(atPath: path.string) {
        throw RetrievalError(code: .missingFile, message: "there is no \(path)")
      }
      var configuration = Configuration()
      configuration.busyMode = .timeout(10)
      let queue = try DatabaseQueue(path: path.string, configuration: configuration)
      try queue.writeWithoutTransaction { try Self.prepare($0, path, isWriting) }
      return queue
    }
  }

  deinit { try? queue.close() }

  /// What the index is for; `nil` of one that is only being made.
  func identity() throws -> Identity? {
    try read { database in
      guard try database.tableExists("state") else { return nil }
      guard
        let row = try Row.fetchOne(database, sql: "SELECT indexed, model, dimension FROM state")
      else { throw Self.damaged(path, "it does not say whose vectors it has") }
      return Identity(
        index: try value(row, "indexed"),
        model: try value(row, "model"),
        dimension: try value(row, "dimension")
      )
    }
  }

  /// Makes the tables of a new index, as the last step of its making.
  func make(_ identity: Identity) throws {
    try write { database in
      try database.execute(sql: Self.schema)
      try database.execute(
        sql: "INSERT INTO state VALUES (1, ?, ?, ?, 0, 0)",
        arguments: [identity.index, identity.model, identity.dimension]
      )
    }
  }

  func read<Value>(_ body: (Database) throws -> Value) throws -> Value {
    try Self.reporting(path) { try queue.read(body) }
  }

  /// A transaction.
  func write<Value>(_ body: (Database) throws -> Value) throws -> Value {
    try Self.reporting(path) { try queue.write(body) }
  }

  /// How many entries there are.
  func count() throws -> Int {
    try read { try Int.fetchOne($0, sql: "SELECT COUNT(*) FROM entries") ?? 0 }
  }

  func state(_ database: Database) throws -> State {
    guard let row = try Row.fetchOne(database, sql: "SELECT rows, change FROM state") else {
      throw Self.damaged(path, "it does not say how many rows there are")
    }
    let state = State(rows: try value(row, "rows"), change: try value(row, "change"))
    // As many as a folder of this machine can have: of a damaged number, no memory is asked for.
    guard (0...1 << 40).contains(state.rows), state.change >= 0 else {
      throw Self.damaged(path, "its numbers make no sense")
    }
    return state
  }

  /// A column's value.
  ///
  /// A row's own subscript would end the process where a damaged file has something else.
  func value<Value: DatabaseValueConvertible>(_ row: Row, _ column: String) throws -> Value {
    guard let value = Value.fromDatabaseValue(row[column] as DatabaseValue? ?? .null) else {
      throw Self.damaged(path, "a value of '\(column)' is of another type")
    }
    return value
  }

  static func damaged(_ path: FilePath, _ what: String) -> RetrievalError {
    RetrievalError(code: .malformedFile, message: "\(path) is damaged: \(what)")
  }
}

extension IndexDatabase {
  /// What tells an index from other files of SQLite: `TesI`, in ASCII.
  private static let application: Int32 = 0x5465_7349
  private static let version = 1

  /// A value is a number, a text, or of a boolean a blob of one byte, so that each is equal to its like alone.
  private static let schema = """
    CREATE TABLE state (
      one INTEGER PRIMARY KEY CHECK (one = 1),
      indexed TEXT NOT NULL,
      model TEXT NOT NULL,
      dimension INTEGER NOT NULL,
      rows INTEGER NOT NULL,
      change INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE entries (
      row INTEGER PRIMARY KEY,
      id TEXT NOT NULL UNIQUE,
      digest TEXT NOT NULL,
      checksum INTEGER NOT NULL,
      change INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX entries_change ON entries (change);
    CREATE TABLE free (row INTEGER PRIMARY KEY) STRICT;
    CREATE TABLE names (name INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT;
    CREATE TABLE attributes (
      row INTEGER NOT NULL,
      name INTEGER NOT NULL,
      value ANY NOT NULL,
      PRIMARY KEY (row, name)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX attributes_value ON attributes (name, value);
    """

  private static func prepare(
    _ database: Database,
    _ path: FilePath,
    _ isWriting: Bool
  ) throws {
    let application = try Int32.fetchOne(database, sql: "PRAGMA application_id") ?? 0
    let version = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
    let tables = try Int.fetchOne(database, sql: "SELECT COUNT(*) FROM sqlite_schema") ?? 0
    guard application == Self.application || (application == 0 && tables == 0) else {
      throw RetrievalError(
        code: .malformedFile,
        message: "\(path) is a database, but not of an index"
      )
    }
    guard version <= Self.version else {
      throw RetrievalError(
        code: .malformedFile,
        message: "\(path) was written by a newer version, which this one cannot read"
      )
    }
    // Globs of paths are not SQLite's, whose star does not stop at a slash.
    database.add(
      function: DatabaseFunction("path_glob", argumentCount: 2, pure: true) { values in
        guard let pattern = String.fromDatabaseValue(values[0]),
          let path = String.fromDatabaseValue(values[1])
        else { return false }
        return PathGlob(pattern).matches(path)
      }
    )
    guard isWriting else {
      try database.execute(sql: "PRAGMA query_only = ON")
      return
    }
    // A transaction is then one write to the log and one wait for the disk; readers see what was before until it is done.
    guard try String.fetchOne(database, sql: "PRAGMA journal_mode = WAL") == "wal" else {
      throw RetrievalError(
        code: .cannotWrite,
        message: "\(path) lies where SQLite cannot keep its log"
      )
    }
    try database.execute(sql: "PRAGMA synchronous = FULL")
    if application == 0 {
      try database.execute(
        sql: "PRAGMA application_id = \(Self.application); PRAGMA user_version = \(Self.version)"
      )
    }
  }

  /// Turns errors of SQLite into such as name the file.
  private static func reporting<Value>(
    _ path: FilePath,
    _ body: () throws -> Value
  ) throws -> Value {
    do {
      return try body()
    } catch let error as DatabaseError {
      let reason = "\(error.resultCode)"
      throw switch error.resultCode {
      case .SQLITE_NOTADB, .SQLITE_CORRUPT, .SQLITE_ERROR, .SQLITE_SCHEMA, .SQLITE_FORMAT,
        .SQLITE_CONSTRAINT:
        damaged(path, reason)
      case .SQLITE_FULL:
        RetrievalError(code: .cannotWrite, message: "cannot write \(path): the disk is full")
      case .SQLITE_BUSY, .SQLITE_LOCKED:
        RetrievalError(code: .inUse, message: "\(path) is in use: \(reason)")
      case .SQLITE_CANTOPEN:
        RetrievalError(code: .missingFile, message: "cannot open \(path)")
      default:
        RetrievalError(code: .cannotWrite, message: "cannot read or write \(path): \(reason)")
      }
    } catch is RowDecodingError {
      throw damaged(path, "a value is of another type")
    }
  }
}
