internal import Foundation
internal import GRDB
public import SystemPackage
public import TesseraCore
internal import TesseraRun

/// A store in a folder of this machine.
///
///     let index = try VectorIndex("pictures.index", model: model.digest, dimension: 64)
///     try await index.add(entries)
///     let matches = try await index.search(query, VectorSearch(filter: VectorFilter(#"language = "hi""#)))
///
/// The folder has `vectors.f32`, which is mapped into memory, `entries.sqlite` with ids, metadata and whose row is whose, and locks. One
/// process writes; others can search meanwhile, and see each change as a whole. A kill or a power cut at any moment loses nothing that a call
/// has returned from: new vectors are written to rows that no entry has, reach the disk, and are then named by one transaction. An update goes to
/// another row, too. Rows of what is gone are used again, unless another process is searching at that moment.
///
/// Searches compare with every vector, or with those that a ``VectorAcceleration`` proposes.
public actor VectorIndex: VectorStore {
  /// What one may do with an index.
  public enum Access: Sendable, Hashable {
    /// Search and write; one at a time may.
    case writing
    /// Search.
    case reading
  }

  /// How queries were answered.
  public struct Answers: Sendable, Hashable {
    /// Queries that were compared with all vectors, or with all that a filter leaves.
    public var exact = 0
    /// Queries that were compared with what the acceleration proposes, and with what it does not know.
    public var accelerated = 0

    /// Makes one.
    public init(exact: Int = 0, accelerated: Int = 0) {
      self.exact = exact
      self.accelerated = accelerated
    }
  }

  /// The folder.
  public nonisolated let folder: FilePath
  /// How many numbers a vector has.
  public nonisolated let dimension: Int
  /// The digest of the model that the vectors were made by.
  public nonisolated let model: String
  /// Where products are computed.
  private let lane: ComputeLane
  /// The lane's thread does all work.
  public nonisolated var unownedExecutor: UnownedSerialExecutor { lane.asUnownedSerialExecutor() }

  let access: Access
  private let locks: IndexLocks
  let database: IndexDatabase
  let vectors: VectorFile
  /// What the index is called in its files.
  let identifier: String
  /// What proposes neighbours; searches compare with all vectors if `nil`.
  let acceleration: (any VectorAcceleration)?
  /// What the acceleration has made so far.
  var made: MadeAcceleration?
  /// The acceleration's file that was looked at last.
  var looked: AccelerationFile.Stamp?
  /// How this index has answered so far.
  public internal(set) var answers = Answers()
  /// The rows that have an entry, as of a transaction.
  private var known: (state: IndexDatabase.State, live: RowSet)?

  /// Opens an index, or makes one in a folder that is empty or not there.
  ///
  /// - Parameters:
  ///   - folder: The folder.
  ///   - model: The digest of the model that vectors are made by.
  ///   - dimension: How many numbers they have.
  ///   - access: What is to be done with it; nothing is made to be read.
  ///   - acceleration: What proposes neighbours; searches compare with all vectors if `nil`. See ``accelerate()``.
  ///   - lane: Where products are computed; a lane of all cores if `nil`.
  /// - Throws: ``RetrievalError``: ``RetrievalError/Code/wrongModel`` if the index is another model's, ``RetrievalError/Code/inUse`` if
  ///   another process writes to it, ``RetrievalError/Code/malformedFile`` if a file is damaged, ``RetrievalError/Code/missingFile`` if there
  ///   is none, ``RetrievalError/Code/cannotWrite`` if the system refuses.
  public init(
    _ folder: FilePath,
    model: String,
    dimension: Int,
    access: Access = .writing,
    acceleration: (any VectorAcceleration)? = nil,
    lane: ComputeLane? = nil
  ) throws {
    guard (1...65_536).contains(dimension) else {
      throw RetrievalError(
        code: .invalidArgument,
        message: "an index has vectors of 1 to 65536 numbers, not \(dimension)"
      )
    }
    if access == .writing { try Self.prepare(folder) }
    let locks = try IndexLocks(folder, isWriting: access == .writing)
    let database = try IndexDatabase(
      folder.appending(Self.databaseFile),
      isWriting: access == .writing
    )
    let path = folder.appending(Self.vectorFile)
    let identity: IndexDatabase.Identity
    if let found = try database.identity() {
      identity = found
    } else {
      guard access == .writing else {
        throw RetrievalError(code: .missingFile, message: "\(folder) is no index yet")
      }
      identity = IndexDatabase.Identity(
        index: UUID().uuidString,
        model: model,
        dimension: dimension
      )
      // It is an index when the database says so; what a kill has left until then has no vectors.
      let size = try? FileManager.default.attributesOfItem(atPath: path.string)[.size] as? Int
      guard (size ?? 0) <= VectorFile.headByteCount else {
        throw IndexDatabase.damaged(database.path, "it is empty, while \(path) has vectors")
      }
      try VectorFile.make(path, index: identity.index, dimension: dimension)
      try database.make(identity)
    }
    guard identity.model == model, identity.dimension == dimension else {
      throw RetrievalError(
        code: .wrongModel,
        message: """
          the index \(folder) belongs to the model \(identity.model) with vectors of \
          \(identity.dimension) numbers, not to \(model) with vectors of \(dimension)
          """
      )
    }
    self.folder = folder
    self.dimension = dimension
    self.model = model
    self.access = access
    self.acceleration = acceleration
    identifier = identity.index
    self.locks = locks
    self.database = database
    self.lane = lane ?? ComputeLane(name: "tessera.index")
    vectors = try VectorFile(
      path,
      index: identity.index,
      dimension: dimension,
      isWriting: access == .writing
    )
  }

  /// What an index says of itself, without its model.
  ///
  /// - Parameter folder: The index.
  /// - Returns: The digest of its model, how many numbers a vector has, and how many entries there are.
  /// - Throws: ``RetrievalError`` if there is none, or it is damaged.
  public static func description(
    of folder: FilePath
  ) throws -> (model: String, dimension: Int, count: Int) {
    let database = try IndexDatabase(folder.appending(databaseFile), isWriting: false)
    guard let identity = try database.identity() else {
      throw RetrievalError(code: .missingFile, message: "\(folder) is no index yet")
    }
    return (
      identity.model, identity.dimension, try database.count()
    )
  }

  private static let databaseFile = "entries.sqlite"
  private static let vectorFile = "vectors.f32"

  /// Makes the folder, and refuses one with other things.
  private static func prepare(_ folder: FilePath) throws {
    let files = FileManager.default
    if let names = try? files.contentsOfDirectory(atPath: folder.string) {
      let isOwn = names.allSatisfy { name in
        [databaseFile, vectorFile, "nearest"].contains {
          name.hasPrefix($0) || name.hasPrefix(".\($0)")
        }
          || name.hasSuffix(".lock")
      }
      guard isOwn || names.contains(databaseFile) else {
        throw RetrievalError(
          code: .cannotWrite,
          message: "\(folder) has other files in it, and is no index"
        )
      }
      return
    }
    do {
      try files.createDirectory(atPath: folder.string, withIntermediateDirectories: true)
    } catch {
      throw RetrievalError(code: .cannotWrite, message: "the folder \(folder) cannot be made")
    }
  }

  /// Reads what one transaction has left, while no row of it is written over.
  func reading<Result>(_ body: (Snapshot) throws -> Result) throws -> Result {
    try locks.reading {
      try database.read { transaction in
        let state = try database.state(transaction)
        if let known, known.state == state {
          return try body(Snapshot(transaction: transaction, state: state, live: known.live))
        }
        try vectors.check(rows: state.rows)
        let live = try database.live(transaction)
        known = (state, live)
        return try body(Snapshot(transaction: transaction, state: state, live: live))
      }
    }
  }

  /// What one transaction has left.
  struct Snapshot {
    let transaction: Database
    let state: IndexDatabase.State
    /// The rows that have an entry.
    let live: RowSet
  }

  /// Refuses to write if this may not.
  func requireWriting() throws {
    guard access == .writing else {
      throw RetrievalError(code: .cannotWrite, message: "the index \(folder) is open for reading")
    }
  }

  /// Whether rows that are free may be written over: nobody reads what was before they became so.
  func mayReuseRows() -> Bool { locks.nobodyReads() }
}
