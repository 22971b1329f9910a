/// The tables that servers keep their state in.
enum PostgreSQLSchema {
  /// The version that this one reads and writes.
  private static let version = 3
  /// What tells our locks from others' in the same database: `Tess`, in ASCII.
  static let locks = 0x5465_7373
  /// The lock of who makes tables.
  private static let migration = 1
  /// The lock of the active server.
  static let lease = 2

  /// Makes the tables, if they are not there.
  ///
  /// - Throws: ``DeploymentError`` with code ``DeploymentError/Code/cannotRead`` if they are of a newer version.
  static func prepare(_ connection: PostgreSQLConnection) throws {
    try connection.transaction { connection in
      // Two servers may start at once.
      try connection.query("SELECT pg_advisory_xact_lock(\(locks), \(migration))")
      try connection.execute(
        "CREATE TABLE IF NOT EXISTS tessera_version (version integer NOT NULL)"
      )
      let found = try connection.query("SELECT max(version) FROM tessera_version").first?.first
      let version = (found ?? nil).integer ?? 0
      guard version <= Self.version else { throw newer(connection) }
      if version < 1 { try connection.execute(first) }
      if version < 2 { try connection.execute(second) }
      if version < 3 { try statesInOneForm(connection) }
    }
  }

  /// States are in one form: programs of before cannot read what is written from now on, and say so.
  private static func statesInOneForm(_ connection: PostgreSQLConnection) throws {
    for row in try connection.query("SELECT id, record FROM tessera_jobs FOR UPDATE") {
      guard row.count == 2, let id = row[0].text, let text = row[1].text else { continue }
      let record = try JobRecord(stored: text, of: id, in: connection.name)
      try connection.query(
        "UPDATE tessera_jobs SET record = $2::text WHERE id = $1::text",
        [.text(id), .text(try record.stored())]
      )
    }
    try connection.execute("INSERT INTO tessera_version (version) VALUES (3)")
  }

  /// What is in a database, without changing anything there.
  ///
  /// - Parameters:
  ///   - address: The database, as of ``PostgreSQLJobStore/init(at:epoch:)``.
  ///   - federation: The name of the federation whose server wants to use it.
  /// - Returns: What messages call it; the version of its tables, `nil` if there are none; and whether what travels there is
  ///   encrypted, or does not leave the machine.
  /// - Throws: ``DeploymentError`` with code ``DeploymentError/Code/unavailable`` if it is not there, with code
  ///   ``DeploymentError/Code/cannotRead`` if its tables are of a newer version, and with code
  ///   ``DeploymentError/Code/notAllowed`` if there are none, and the user may not make them, or if they are another federation's.
  static func look(
    at address: String,
    for federation: String
  ) throws -> (name: String, version: Int?, isProtected: Bool) {
    let connection = try PostgreSQLConnection(address)
    guard try !connection.isPooled() else { throw pooled(connection) }
    let table = try connection.query("SELECT to_regclass('tessera_version')::text").first?.first
    guard (table ?? nil) != nil else {
      let right = try connection.query(
        "SELECT coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)::text"
      ).first?.first
      guard (right ?? nil).text == "true" else {
        throw DeploymentError(
          code: .notAllowed,
          message: "\(connection.name) has no tables of Tessera, and its user may not make them"
        )
      }
      return (connection.name, nil, connection.isProtected)
    }
    let found = try connection.query("SELECT max(version) FROM tessera_version").first?.first
    let version = (found ?? nil).integer ?? 0
    guard version <= Self.version else { throw newer(connection) }
    try require(federation, connection)
    return (connection.name, version, connection.isProtected)
  }

  /// Refuses a database in which another federation keeps its state.
  ///
  /// - Parameters:
  ///   - federation: The name of one's own; any will do if `nil`.
  ///   - connection: To the database; one without tables is nobody's.
  /// - Throws: ``DeploymentError`` with code ``DeploymentError/Code/notAllowed``.
  static func require(_ federation: String?, _ connection: PostgreSQLConnection) throws {
    let table = try connection.query("SELECT to_regclass('tessera_lease')::text").first?.first
    guard (table ?? nil) != nil else { return }
    let found = try connection.query("SELECT federation FROM tessera_lease").first?.first
    guard let federation, let other = (found ?? nil).text, other != federation else { return }
    throw DeploymentError(
      code: .notAllowed,
      message: """
        \(connection.name) has the jobs of the federation '\(other)', and this is a server of '\(federation)'
        """
    )
  }

  /// A lease that is taken through a pool of connections has no holder.
  static func pooled(_ connection: PostgreSQLConnection) -> DeploymentError {
    DeploymentError(
      code: .notAllowed,
      message:
        "\(connection.name) is reached through a pool of connections: name the database itself"
    )
  }

  private static func newer(_ connection: PostgreSQLConnection) -> DeploymentError {
    DeploymentError(
      code: .cannotRead,
      message: """
        \(connection.name) was written by a newer version of Tessera, which this one cannot read
        """
    )
  }

  /// Refuses to write for a server that is not the active one any longer; until the transaction ends, no other can become it.
  static func requireLease(_ epoch: Int, _ connection: PostgreSQLConnection) throws {
    let row = try connection.query("SELECT epoch, holder FROM tessera_lease FOR SHARE").first ?? []
    guard let current = row.first?.integer, current == epoch else {
      let holder = row.dropFirst().first?.text.map { ", \($0)," } ?? ""
      throw DeploymentError(
        code: .notActive,
        message: """
          this server is not the active one any longer: another\(holder) has taken over, and nothing was written
          """
      )
    }
  }

  private static let first = """
    CREATE TABLE tessera_jobs (
      number bigserial PRIMARY KEY,
      id text NOT NULL UNIQUE,
      state text NOT NULL,
      record text NOT NULL
    );
    CREATE TABLE tessera_disabled_sites (name text PRIMARY KEY);
    CREATE TABLE tessera_lease (
      is_single boolean PRIMARY KEY DEFAULT true CHECK (is_single),
      epoch bigint NOT NULL,
      holder text NOT NULL,
      federation text
    );
    INSERT INTO tessera_lease (epoch, holder) VALUES (0, '');
    CREATE TABLE tessera_files (
      job text NOT NULL,
      path text NOT NULL,
      bytes bigint NOT NULL,
      digest text NOT NULL,
      PRIMARY KEY (job, path)
    );
    CREATE TABLE tessera_chunks (
      job text NOT NULL,
      path text NOT NULL,
      number bigint NOT NULL,
      digest text NOT NULL,
      content bytea NOT NULL,
      PRIMARY KEY (job, path, number),
      FOREIGN KEY (job, path) REFERENCES tessera_files ON DELETE CASCADE
    );
    -- Models do not get smaller, and packing them takes time.
    ALTER TABLE tessera_chunks ALTER COLUMN content SET STORAGE EXTERNAL;
    INSERT INTO tessera_version (version) VALUES (1);
    """

  /// Which jobs were removed: a folder whose job the database does not know may be all that is left of it.
  private static let second = """
    CREATE TABLE tessera_removed_jobs (id text PRIMARY KEY);
    INSERT INTO tessera_version (version) VALUES (2);
    """
}
