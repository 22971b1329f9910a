internal import Crypto
internal import Foundation
internal import Synchronization
public import SystemPackage

/// Copies of jobs' folders in the database, from which the server that takes over goes on.
///
///     try replica.store(folder, of: job.id)              // after each round
///     try replica.restore(job.id, into: folder)          // by the server that takes over
///
/// A folder is stored as a whole or not at all. Of its files, chunks that the database has already are not sent again: a journal
/// that has grown by a line costs a chunk, a model that is the same nothing.
///
/// Each call waits for the database. Of a new model of 100 MB, ``store(_:of:only:)`` took 0.9 to 1.1 s, and ``restore(_:into:)`` 0.6 s
/// (two busy cores, database and server on one machine, debug build, `fsync` on); of a small model with
/// journal, metrics and curves, 35 ms; where nothing has changed, 2 ms.
public final class RecordReplica: JobReplica {
  /// How many bytes travel and are kept together.
  static let chunkSize = 2 << 20

  /// A file as the system knows it: if nothing of this has changed, neither has what it holds.
  private struct Stamp: Hashable {
    var node: Int
    var bytes: Int
    var changed: Date
  }

  private struct State {
    let connection: PostgreSQLConnection
    /// The files of which the database has all, by job and path.
    var known: [String: Stamp] = [:]
  }

  private let epoch: Int?
  private let state: Mutex<State>
  private let address: String

  /// Connects, and makes the tables if they are not there.
  ///
  /// - Parameters:
  ///   - address: The database, as of ``PostgreSQLJobStore/init(at:epoch:)``.
  ///   - epoch: That of the server's ``ServerLease``; without one, nothing can be stored.
  /// - Throws: As ``PostgreSQLJobStore/init(at:epoch:)``.
  public init(at address: String, epoch: Int?) throws {
    self.epoch = epoch
    let connection = try PostgreSQLConnection(address)
    try PostgreSQLSchema.prepare(connection)
    state = Mutex(State(connection: connection))
    self.address = address
  }

  /// Brings the database's copy of a folder up to date: it has the same files afterwards, in the same state.
  ///
  /// Links, and files that are not finished (`.NAME.partial`), are left out.
  ///
  /// - Parameters:
  ///   - folder: Does not change meanwhile, but for files that grow.
  ///   - job: The job.
  ///   - items: The files and folders in it that are copied; all if `nil`.
  /// - Throws: ``DeploymentError``; the copy is then as before. With code ``DeploymentError/Code/notActive`` the server is not the
  ///   active one any longer.
  public func store(_ folder: FilePath, of job: String, only items: [String]?) throws {
    let files = try FolderListing.files(in: folder, only: items)
    try state.withLock { state in
      try state.connection.reconnect()
      var known = state.known
      try state.connection.transaction { connection in
        try PostgreSQLSchema.requireLease(epoch ?? -1, connection)
        let copy = ReplicaFolder(connection, job)
        let isThere = Set(files)
        for name in try copy.paths() where !isThere.contains(name) {
          try copy.remove(name)
          known[copy.key(name)] = nil
        }
        for name in files {
          let path = folder.appending(name)
          let stamp = try Self.stamp(of: path)
          if let stamp, known[copy.key(name)] == stamp { continue }
          try copy.store(name, from: path)
          // What changed while it was read is looked at again the next time.
          known[copy.key(name)] = try Self.stamp(of: path) == stamp ? stamp : nil
        }
      }
      state.known = known
    }
  }

  /// Writes a stored folder to the disk.
  ///
  /// Over a connection of its own: neither rounds that are stored nor other folders wait for one that is large.
  ///
  /// - Parameters:
  ///   - job: The job.
  ///   - folder: Is not there, or empty; it is there as a whole afterwards, or not at all.
  /// - Throws: ``DeploymentError`` with code ``DeploymentError/Code/notFound`` if nothing is stored of it, with code
  ///   ``DeploymentError/Code/altered`` if a digest is wrong, and with code ``DeploymentError/Code/alreadyThere`` if the folder
  ///   holds something.
  public func restore(_ job: String, into folder: FilePath) throws {
    try PostgreSQLConnection(address).transaction { connection in
      // All of it as it was at one time, whatever the active server writes meanwhile.
      try connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
      try ReplicaFolder(connection, job).restore(into: folder)
    }
  }

  /// Forgets a job's copy.
  ///
  /// - Throws: ``DeploymentError``.
  public func remove(_ job: String) throws {
    try state.withLock { state in
      try state.connection.reconnect()
      try state.connection.transaction { connection in
        try PostgreSQLSchema.requireLease(epoch ?? -1, connection)
        try connection.query("DELETE FROM tessera_files WHERE job = $1::text", [.text(job)])
        try connection.query(
          "INSERT INTO tessera_removed_jobs (id) VALUES ($1::text) ON CONFLICT DO NOTHING",
          [.text(job)]
        )
      }
      state.known = state.known.filter { !$0.key.hasPrefix("\(job)/") }
    }
  }

  /// The jobs of which there is a copy.
  ///
  /// - Throws: ``DeploymentError``.
  public func jobs() throws -> Set<String> {
    try state.withLock { state in
      try state.connection.reconnect()
      let rows = try state.connection.query("SELECT DISTINCT job FROM tessera_files")
      return Set(rows.compactMap { $0.first?.text })
    }
  }

  /// The jobs that were removed, since there is the database.
  ///
  /// - Throws: ``DeploymentError``.
  public func removedJobs() throws -> Set<String> {
    try state.withLock { state in
      try state.connection.reconnect()
      let rows = try state.connection.query("SELECT id FROM tessera_removed_jobs")
      return Set(rows.compactMap { $0.first?.text })
    }
  }

  /// `nil` if the system does not say enough.
  private static func stamp(of path: FilePath) throws -> Stamp? {
    let attributes = try FolderListing.attributes(of: path)
    guard let node = attributes[.systemFileNumber] as? Int, let bytes = attributes[.size] as? Int,
      let changed = attributes[.modificationDate] as? Date
    else { return nil }
    return Stamp(node: node, bytes: bytes, changed: changed)
  }
}
