/// Vectors of pictures and texts with what is known of them, searched by similarity.
///
///     let store: any VectorStore = try VectorIndex("pictures.index", model: model.digest, dimension: 64)
///     try await store.add([VectorEntry(id: "cat.png", vector: vector, metadata: ["language": "hi"])])
///     let pages = try await store.search(queries, VectorSearch(limit: 10, offset: 20))
///
/// A store belongs to one model: vectors of different models cannot be compared. What a call has written is kept when it returns; a call
/// that throws has written nothing. ``VectorIndex`` is a folder on this machine; others are clients of a database.
public protocol VectorStore: Sendable {
  /// How many numbers a vector has.
  var dimension: Int { get }

  /// The digest of the model that the vectors were made by.
  var model: String { get }

  /// How many entries there are.
  func count() async throws -> Int

  /// Keeps new entries: all or none.
  ///
  /// - Throws: ``RetrievalError``: ``RetrievalError/Code/alreadyThere`` if there is one with such an id,
  ///   ``RetrievalError/Code/invalidArgument`` if a vector does not fit, and what hinders the store.
  func add(_ entries: [VectorEntry]) async throws

  /// Puts entries in the place of those with their ids: vector, metadata and digest, all of them or none.
  ///
  /// - Throws: ``RetrievalError``: ``RetrievalError/Code/notThere`` if there is none with such an id,
  ///   ``RetrievalError/Code/invalidArgument`` if a vector does not fit, and what hinders the store.
  func update(_ entries: [VectorEntry]) async throws

  /// Forgets entries.
  ///
  /// - Parameter ids: Of those that need not be there.
  /// - Returns: How many were there.
  /// - Throws: ``RetrievalError`` if something hinders the store.
  @discardableResult
  func remove(_ ids: [String]) async throws -> Int

  /// Entries by their ids.
  ///
  /// - Parameter ids: What is asked for.
  /// - Returns: As many as `ids`; `nil` where there is none.
  /// - Throws: ``RetrievalError`` if something hinders the store.
  func entries(_ ids: [String]) async throws -> [VectorEntry?]

  /// The digests of what entries were made from, in the order of the ids' bytes: what an indexer compares with what it finds.
  ///
  /// - Parameters:
  ///   - id: Ids after this one; from the first if `nil`.
  ///   - limit: The most that are returned.
  /// - Returns: Ids and digests; fewer than `limit` at the end.
  /// - Throws: ``RetrievalError`` if something hinders the store.
  func digests(after id: String?, limit: Int) async throws -> [(id: String, digest: String)]

  /// The entries that are most like each query, the best first.
  ///
  /// - Parameters:
  ///   - queries: Any number of vectors.
  ///   - search: How many, and which.
  /// - Returns: For each query its matches; of equal scores always in the same order.
  /// - Throws: ``RetrievalError`` if a query does not fit, and what hinders the store.
  func search(_ queries: [[Float]], _ search: VectorSearch) async throws -> [[VectorMatch]]

  /// Pairs of entries whose vectors are nearly the same, the most alike first.
  ///
  /// - Parameters:
  ///   - threshold: The least inner product of their vectors.
  ///   - limit: The most pairs.
  /// - Returns: The pairs; of equal scores always in the same order.
  /// - Throws: ``RetrievalError`` if something hinders the store.
  func nearDuplicates(atLeast threshold: Float, limit: Int) async throws -> [NearDuplicate]
}

extension VectorStore {
  /// The entry with an id, if there is one.
  public func entry(_ id: String) async throws -> VectorEntry? {
    try await entries([id]).first ?? nil
  }

  /// The entries that are most like one query, the best first.
  public func search(
    _ query: [Float],
    _ search: VectorSearch = VectorSearch()
  ) async throws -> [VectorMatch] {
    try await self.search([query], search).first ?? []
  }
}
