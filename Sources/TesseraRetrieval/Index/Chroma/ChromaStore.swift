internal import Synchronization

/// A collection of Chroma, on a server of its own or spread over many machines: a ``VectorStore`` that others can use, too.
///
///     let store = try await ChromaStore("http://localhost:8000/pictures", model: model.digest, dimension: 640)
///     try await store.add(entries)
///
/// The same HTTP interface, version 2, is that of the server for one machine and of the distributed one. Neighbours are found by Chroma's
/// graphs or lists, so a few of the best may be missing; which entries a filter leaves is exact. One client writes at a time: whether an id is
/// there is asked before it is added. A call of at most as many entries as the server takes at a time, some thousands, is one request, and more
/// are refused: it is kept as a whole or not at all.
public final class ChromaStore: VectorStore {
  /// How many numbers a vector has.
  public let dimension: Int
  /// The digest of the model that the vectors were made by.
  public let model: String

  let connection: ChromaConnection
  /// The collection's path from the collections on.
  let collection: String
  /// How many entries the server takes at a time.
  let mostEntries: Int
  private let access: VectorIndex.Access
  /// All ids and digests in order, while they are paged through.
  private let listed = Mutex<[(id: String, digest: String)]?>(nil)

  private struct Collection: Decodable {
    var id: String
    var metadata: ChromaEntry?

    static let modelName = "tessera:model"
    static let dimensionName = "tessera:dimension"

    var identity: (model: String, dimension: Int)? {
      guard case .text(let model)? = metadata?.metadata[Self.modelName],
        case .number(let dimension)? = metadata?.metadata[Self.dimensionName]
      else { return nil }
      return Int(exactly: dimension).map { (model, $0) }
    }
  }

  /// Opens a collection, or makes it if it is not there.
  ///
  /// - Parameters:
  ///   - address: `http://HOST:PORT/COLLECTION`, or with the tenant and the database, `https://HOST/TENANT/DATABASE/COLLECTION`.
  ///   - model: The digest of the model that vectors are made by.
  ///   - dimension: How many numbers they have.
  ///   - access: What is to be done with it; nothing is made to be read.
  ///   - token: What the server knows the caller by, if it asks for that.
  /// - Throws: ``RetrievalError``: ``RetrievalError/Code/wrongModel`` if the collection is another model's or none of ours,
  ///   ``RetrievalError/Code/missingFile`` if there is none to read, ``RetrievalError/Code/unavailable`` if the server does not answer.
  public init(
    _ address: String,
    model: String,
    dimension: Int,
    access: VectorIndex.Access = .writing,
    token: String? = nil
  ) async throws {
    let (connection, name) = try ChromaConnection.open(address, token: token)
    var found: Collection? = try await connection.call(name)
    if found == nil, access == .writing {
      found = try await connection.call(
        "",
        .object([
          ("name", .text(name)),
          (
            "metadata",
            .object([
              (Collection.modelName, .text(model)), (Collection.dimensionName, .integer(dimension)),
            ])
          ),
          // More candidates than by default: recall is what a search is for.
          (
            "configuration",
            .object([("hnsw", .object([("space", .text("ip")), ("ef_search", .integer(256))]))])
          ),
        ])
      )
    }
    guard let found else {
      throw RetrievalError(
        code: .missingFile,
        message: "there is no collection '\(name)' at \(connection.server)"
      )
    }
    guard let identity = found.identity else {
      throw RetrievalError(
        code: .wrongModel,
        message: "the collection '\(name)' at \(connection.server) was not made by an indexer"
      )
    }
    guard identity == (model, dimension) else {
      throw RetrievalError(
        code: .wrongModel,
        message: """
          the collection '\(name)' at \(connection.server) belongs to the model \(identity.model) with vectors of \
          \(identity.dimension) numbers, not to \(model) with vectors of \(dimension)
          """
      )
    }
    self.connection = connection
    self.model = model
    self.dimension = dimension
    self.access = access
    collection = found.id
    mostEntries = try await connection.mostEntries()
  }

  /// How many entries there are.
  public func count() async throws -> Int { try await call("count") }

  /// Keeps new entries, all or none.
  public func add(_ entries: [VectorEntry]) async throws {
    guard try check(entries) else { return }
    if let old = try await known(entries.map(\.id), []).ids.first {
      throw RetrievalError(code: .alreadyThere, message: "there is an entry '\(old)' already")
    }
    try await write("add", entries, entries.map { ChromaEntry($0).json() })
  }

  /// Puts entries in the place of those with their ids, all or none.
  public func update(_ entries: [VectorEntry]) async throws {
    guard try check(entries) else { return }
    let old = try await known(entries.map(\.id), ["metadatas"])
    let names = Dictionary(
      zip(old.ids, old.metadatas ?? []).map { ($0, Set($1?.metadata.keys ?? [:].keys)) },
      uniquingKeysWith: { $1 }
    )
    let metadata = try entries.map { entry in
      guard let names = names[entry.id] else {
        throw RetrievalError(code: .notThere, message: "there is no entry '\(entry.id)'")
      }
      return ChromaEntry(entry).json(forgetting: names)
    }
    try await write("update", entries, metadata)
  }

  private func write(_ how: String, _ entries: [VectorEntry], _ metadata: [JSONText]) async throws {
    listed.withLock { $0 = nil }
    let _: Nothing = try await call(
      how,
      .object([
        ("ids", .list(entries.map { .text($0.id) })),
        ("embeddings", .list(entries.map { .vector($0.vector) })),
        ("metadatas", .list(metadata)),
      ])
    )
  }

  /// Forgets entries.
  @discardableResult
  public func remove(_ ids: [String]) async throws -> Int {
    try requireWriting()
    var count = 0
    for start in stride(from: 0, to: ids.count, by: mostEntries) {
      let some = Array(ids[start..<min(ids.count, start + mostEntries)])
      let there = try await known(some, []).ids
      guard !there.isEmpty else { continue }
      listed.withLock { $0 = nil }
      let _: Nothing = try await call("delete", .object([("ids", .list(there.map { .text($0) }))]))
      count += there.count
    }
    return count
  }

  /// Entries by their ids; `nil` where there is none.
  public func entries(_ ids: [String]) async throws -> [VectorEntry?] {
    var entries: [String: VectorEntry] = [:]
    for start in stride(from: 0, to: ids.count, by: mostEntries) {
      let some = Array(ids[start..<min(ids.count, start + mostEntries)])
      for entry in try await whole(known(some, ["metadatas", "embeddings"])) {
        entries[entry.id] = entry
      }
    }
    return ids.map { entries[$0] }
  }

  /// The digests of what entries were made from, in the order of the ids' bytes.
  public func digests(after id: String?, limit: Int) async throws -> [(id: String, digest: String)]
  {
    var all = id == nil ? nil : listed.withLock { $0 }
    if all == nil {
      var found: [(id: String, digest: String)] = []
      try await visitAll(["metadatas"]) { entries in
        found += zip(entries.ids, entries.metadatas ?? []).map { ($0, $1?.digest ?? "") }
      }
      found.sort { $0.id.utf8.lexicographicallyPrecedes($1.id.utf8) }
      listed.withLock { [found] in $0 = found }
      all = found
    }
    let rest = (all ?? []).drop { one in
      guard let id else { return false }
      return !id.utf8.lexicographicallyPrecedes(one.id.utf8)
    }
    return Array(rest.prefix(max(0, limit)))
  }
}

extension ChromaStore {
  /// What is answered where nothing is.
  struct Nothing: Decodable {
    init(from decoder: any Decoder) {}
  }

  /// Calls a function of the collection.
  func call<Reply: Decodable>(_ function: String, _ body: JSONText? = nil) async throws -> Reply {
    guard let reply: Reply = try await connection.call("\(collection)/\(function)", body) else {
      throw RetrievalError(
        code: .missingFile,
        message: "the collection at \(connection.server) is gone"
      )
    }
    return reply
  }

  /// Those of some ids that are there.
  func known(_ ids: [String], _ parts: [String]) async throws -> ChromaEntries {
    let ids = Set(ids).sorted()
    return try await call(
      "get",
      .object([
        ("ids", .list(ids.map { .text($0) })), ("include", .list(parts.map { .text($0) })),
      ])
    )
  }

  /// Shows all entries, some thousand at a time.
  func visitAll(
    _ parts: [String],
    _ body: (ChromaEntries) async throws -> Void
  ) async throws {
    let page = 2000
    var offset = 0
    while true {
      let entries: ChromaEntries = try await call(
        "get",
        .object([
          ("limit", .integer(page)), ("offset", .integer(offset)),
          ("include", .list(parts.map { .text($0) })),
        ])
      )
      try await body(entries)
      guard entries.ids.count == page else { return }
      offset += page
    }
  }

  /// Entries with all that belongs to them.
  func whole(_ entries: ChromaEntries) throws -> [VectorEntry] {
    guard let vectors = entries.embeddings, let metadata = entries.metadatas,
      vectors.count == entries.ids.count, metadata.count == entries.ids.count
    else { throw connection.notUnderstood() }
    return try zip(entries.ids, zip(vectors, metadata)).map { id, rest in
      guard let vector = rest.0, vector.count == dimension else {
        throw connection.notUnderstood()
      }
      return VectorEntry(
        id: id,
        vector: vector,
        metadata: rest.1?.metadata ?? [:],
        digest: rest.1?.digest ?? ""
      )
    }
  }

  private func requireWriting() throws {
    guard access == .writing else {
      throw RetrievalError(
        code: .cannotWrite,
        message: "the collection at \(connection.server) is open for reading"
      )
    }
  }

  /// Refuses entries that cannot be kept; says whether there are any.
  private func check(_ entries: [VectorEntry]) throws -> Bool {
    try requireWriting()
    try entries.check(dimension: dimension)
    for entry in entries {
      if let name = entry.metadata.keys.first(where: ChromaEntry.isReserved) {
        throw RetrievalError(
          code: .invalidArgument,
          message: "entry '\(entry.id)' has metadata under the name '\(name)', which is reserved"
        )
      }
    }
    guard entries.count <= mostEntries else {
      throw RetrievalError(
        code: .invalidArgument,
        message:
          "the server \(connection.server) takes \(mostEntries) entries at a time, not \(entries.count)"
      )
    }
    return !entries.isEmpty
  }
}
