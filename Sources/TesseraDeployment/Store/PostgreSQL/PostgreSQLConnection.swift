internal import CPostgreSQL
internal import Foundation

/// A connection to a PostgreSQL server, for one thread at a time.
///
/// What goes wrong is thrown as a ``DeploymentError`` that names the database: ``DeploymentError/Code/unavailable`` if the server
/// is not there, and ``DeploymentError/Code/cannotWrite`` if it refuses. Statements and values are not named.
// libpq lets any thread use a connection, one at a time: owners keep theirs in a `Mutex`, or have a thread for it.
final class PostgreSQLConnection: @unchecked Sendable {
  /// A value that a statement is given.
  enum Value {
    case text(String)
    case bytes(ArraySlice<UInt8>)
    case integer(Int)
  }

  /// A value in a row of an answer; `nil` is SQL's NULL.
  typealias Cell = [UInt8]?

  private let connection: OpaquePointer
  /// What messages call the database.
  let name: String
  /// May hold a password.
  private let address: String

  /// Connects.
  ///
  /// - Parameter address: As libpq takes it: `host=db.example.org dbname=tessera user=tessera`, or
  ///   `postgresql://tessera@db.example.org/tessera`. What it does not say has to do with how soon a server that is gone is
  ///   noticed: within seconds.
  /// - Throws: ``DeploymentError`` with code ``DeploymentError/Code/unavailable``; with code
  ///   ``DeploymentError/Code/invalidArgument`` if the address cannot be understood, of which nothing is said, as it may hold a
  ///   password.
  init(_ address: String) throws {
    try Self.check(address)
    let settings: KeyValuePairs = [
      "connect_timeout": "5", "keepalives_idle": "1", "keepalives_interval": "1",
      "keepalives_count": "2", "tcp_user_timeout": "3000", "application_name": "tessera",
      "dbname": address, "client_encoding": "UTF8",
    ]
    guard
      let connection = Self.withCStrings(
        settings.map(\.key),
        { keys in
          Self.withCStrings(settings.map(\.value)) { PQconnectdbParams(keys, $0, 1) }
        }
      )
    else { throw DeploymentError(code: .unavailable, message: "no memory for a connection") }
    self.connection = connection
    self.address = address
    let database = PQdb(connection).map { String(cString: $0) } ?? ""
    let host = PQhost(connection).map { String(cString: $0) } ?? ""
    name = "the database \(database.isEmpty ? "" : "\(database) ")at \(host)"
    guard PQstatus(connection) == CONNECTION_OK else { throw lost() }
    // The answers to these statements are of no interest, and notices belong to nobody.
    PQsetNoticeProcessor(connection, { _, _ in }, nil)
    try prepare()
  }

  /// Refuses an address that libpq would take apart in another way than it was meant, and then repeat in parts: a password with
  /// `@` or `/` in a URL.
  private static func check(_ address: String) throws {
    let unclear = DeploymentError(
      code: .invalidArgument,
      message: """
        the database's address cannot be understood; in a URL, characters such as @ and / of a password are written as %40 \
        and %2F
        """
    )
    guard let options = PQconninfoParse(address, nil) else { throw unclear }
    PQconninfoFree(options)
    for scheme in ["postgresql://", "postgres://"] where address.hasPrefix(scheme) {
      let rest = address.dropFirst(scheme.count)
      let authority = rest.prefix { $0 != "/" && $0 != "?" }
      let path = rest.dropFirst(authority.count).prefix { $0 != "?" }
      guard authority.count(where: { $0 == "@" }) <= 1, !path.contains("@") else { throw unclear }
    }
  }

  /// Whether what travels is encrypted, or does not leave the machine.
  var isProtected: Bool {
    PQsslInUse(connection) == 1
      || PQhost(connection).map { String(cString: $0).hasPrefix("/") } ?? false
  }

  /// Whether something between here and the database hands its connections to several at once: a lock would be everybody's.
  func isPooled() throws -> Bool {
    let process = try query("SELECT pg_backend_pid()").first?.first ?? nil
    return process.integer != Int(PQbackendPID(connection))
  }

  /// Has a session that nothing but the end of the connection ends, whatever the database has set for others, and that is told
  /// what is durable.
  private func prepare() throws {
    try execute("SET statement_timeout = 0; SET lock_timeout = 0; SET synchronous_commit = on")
    for setting in [
      "idle_session_timeout", "idle_in_transaction_session_timeout", "transaction_timeout",
    ] {
      // Not every version knows them all.
      try? execute("SET \(setting) = 0")
    }
    try haveLossNoticed()
  }

  /// Has the database, too, notice within seconds that this process is gone with its machine: what it holds locked keeps another
  /// server waiting.
  private func haveLossNoticed() throws {
    try execute(
      "SET tcp_keepalives_idle = 1; SET tcp_keepalives_interval = 1; SET tcp_keepalives_count = 2"
    )
    try? execute("SET tcp_user_timeout = 3000")
    try? execute("SET client_connection_check_interval = 1000")
  }

  deinit { PQfinish(connection) }

  /// The socket, to wait for what the server says; -1 if there is none.
  var socket: Int32 { PQsocket(connection) }

  /// Whether the connection was there when it was last used.
  var isAlive: Bool { PQstatus(connection) == CONNECTION_OK }

  /// Connects again, if the connection was lost.
  func reconnect() throws {
    guard !isAlive else { return }
    PQreset(connection)
    guard isAlive else { throw lost() }
    try prepare()
  }

  /// Takes in what the server has said without being asked.
  ///
  /// - Throws: ``DeploymentError`` if the connection is lost.
  func receive() throws {
    guard PQconsumeInput(connection) == 1, isAlive else { throw lost() }
  }

  /// Asks for a statement to be carried out; ``answer()`` is what came of it.
  func send(_ statement: String, _ values: [Value] = []) throws {
    let isSent = withValues(values) { count, values, lengths, formats in
      PQsendQueryParams(connection, statement, count, nil, values, lengths, formats, 0)
    }
    guard isSent == 1 else { throw lost() }
  }

  /// Whether ``answer()`` would wait.
  var isBusy: Bool { PQisBusy(connection) == 1 }

  /// The answer to what was sent.
  func answer() throws -> [[Cell]] {
    var rows: [[Cell]] = []
    var failure: (any Error)?
    while let result = PQgetResult(connection) {
      defer { PQclear(result) }
      do { rows = try read(result) } catch { failure = failure ?? error }
    }
    if let failure { throw failure }
    guard isAlive else { throw lost() }
    return rows
  }

  /// Carries out a statement.
  ///
  /// - Parameters:
  ///   - statement: With `$1`, `$2`, … for values.
  ///   - values: The values; text and bytes want a cast, as `$1::text`.
  ///   - isBinary: Whether values of the answer come as the server keeps them; for bytes.
  /// - Returns: The rows of the answer.
  /// - Throws: ``DeploymentError``.
  @discardableResult
  func query(
    _ statement: String,
    _ values: [Value] = [],
    isBinary: Bool = false
  ) throws -> [[Cell]] {
    let result = withValues(values) { count, values, lengths, formats in
      PQexecParams(
        connection,
        statement,
        count,
        nil,
        values,
        lengths,
        formats,
        isBinary ? 1 : 0
      )
    }
    guard let result else { throw lost() }
    defer { PQclear(result) }
    return try read(result)
  }

  /// Carries out statements without values.
  func execute(_ statements: String) throws {
    guard let result = PQexec(connection, statements) else { throw lost() }
    defer { PQclear(result) }
    _ = try read(result)
  }

  /// Carries out statements that are all done, or none of them.
  func transaction<Result>(_ body: (PostgreSQLConnection) throws -> Result) throws -> Result {
    do { try execute("BEGIN") } catch {
      // A connection that was lost while it was idle is noticed here, and nothing has been done yet.
      guard !isAlive else { throw error }
      try reconnect()
      try execute("BEGIN")
    }
    do {
      let result = try body(self)
      try execute("COMMIT")
      return result
    } catch {
      // A connection that is lost has rolled back already.
      try? execute("ROLLBACK")
      throw error
    }
  }

  private func read(_ result: OpaquePointer) throws -> [[Cell]] {
    switch PQresultStatus(result) {
    case PGRES_COMMAND_OK, PGRES_EMPTY_QUERY: return []
    case PGRES_TUPLES_OK: break
    default: throw failure(result)
    }
    let columns = PQnfields(result)
    return (0..<PQntuples(result)).map { row in
      (0..<columns).map { column -> Cell in
        guard PQgetisnull(result, row, column) == 0,
          let value = PQgetvalue(result, row, column)
        else { return nil }
        let count = Int(PQgetlength(result, row, column))
        return Array(UnsafeRawBufferPointer(start: value, count: count))
      }
    }
  }

  private func failure(_ result: OpaquePointer) -> DeploymentError {
    func field(_ code: Character) -> String? {
      PQresultErrorField(result, Int32(code.asciiValue ?? 0)).map { String(cString: $0) }
    }
    guard isAlive, let state = field("C") else { return lost() }
    // The primary message: details and hints hold values.
    let message = field("M") ?? "it says no more"
    switch state {
    case "23505": return DeploymentError(code: .alreadyThere, message: "\(name): \(message)")
    case "53100": return DeploymentError(code: .cannotWrite, message: "\(name): its disk is full")
    case let state where state.hasPrefix("08") || state.hasPrefix("57") || state == "53300":
      return DeploymentError(code: .unavailable, message: "\(name) is not available: \(message)")
    default: return DeploymentError(code: .cannotWrite, message: "\(name) refused: \(message)")
    }
  }

  private func lost() -> DeploymentError {
    // An address that cannot be understood is repeated by libpq as it is.
    let message = String(cString: PQerrorMessage(connection))
      .trimmingCharacters(in: .whitespacesAndNewlines)
      .replacingOccurrences(of: address, with: "the address")
    return DeploymentError(
      code: .unavailable,
      message: "\(name) is not available: \(message.isEmpty ? "the connection is lost" : message)"
    )
  }

  /// Calls `body` with the values as libpq takes them: text and bytes with their lengths, as they are.
  private func withValues<Result>(
    _ values: [Value],
    _ body: (
      Int32, UnsafePointer<UnsafePointer<CChar>?>?, UnsafePointer<Int32>?, UnsafePointer<Int32>?
    ) -> Result
  ) -> Result {
    var bytes: [UInt8] = []
    var places: [Int] = []
    var lengths: [Int32] = []
    var formats: [Int32] = []
    for value in values {
      places.append(bytes.count)
      switch value {
      case .text(let text): bytes += text.utf8
      case .bytes(let value): bytes += value
      case .integer(let number): bytes += "\(number)".utf8
      }
      lengths.append(Int32(clamping: bytes.count - (places.last ?? 0)))
      if case .integer = value { formats.append(0) } else { formats.append(1) }
      bytes.append(0)
    }
    return bytes.withUnsafeBytes { buffer in
      let pointers = places.map { place in
        buffer.baseAddress.map { UnsafePointer(($0 + place).assumingMemoryBound(to: CChar.self)) }
      }
      return body(Int32(values.count), pointers, lengths, formats)
    }
  }

  /// Calls `body` with C strings, and `nil` after the last.
  private static func withCStrings<Result>(
    _ texts: [String],
    _ body: (UnsafePointer<UnsafePointer<CChar>?>) -> Result
  ) -> Result {
    let copies = texts.map { strdup($0) }
    defer { for copy in copies { free(copy) } }
    return body(copies.map { $0.map { UnsafePointer($0) } } + [nil])
  }
}

extension [UInt8]? {
  /// The text of a cell.
  var text: String? { map { String(decoding: $0, as: UTF8.self) } }
  /// The number of a cell that came as text.
  var integer: Int? { text.flatMap { Int($0) } }
}
