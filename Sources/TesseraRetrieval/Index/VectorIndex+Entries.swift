internal import GRDB
internal import TesseraCore
internal import TesseraRun

extension VectorIndex {
  /// How many entries there are.
  public func count() throws -> Int { try reading(\.live.count) }

  /// Keeps new entries, all or none.
  public func add(_ entries: [VectorEntry]) throws {
    try put(entries) { entry, place in
      if place != nil {
        throw RetrievalError(
          code: .alreadyThere,
          message: "there is an entry '\(entry.id)' already"
        )
      }
    }
  }

  /// Puts entries in the place of those with their ids, all or none.
  public func update(_ entries: [VectorEntry]) throws {
    try put(entries) { entry, place in
      if place == nil {
        throw RetrievalError(code: .notThere, message: "there is no entry '\(entry.id)'")
      }
    }
  }

  private func put(
    _ entries: [VectorEntry],
    _ check: (VectorEntry, IndexDatabase.Place?) throws -> Void
  ) throws {
    try entries.check(dimension: dimension)
    try requireWriting()
    guard !entries.isEmpty else { return }
    try database.write { transaction in
      let committed = try database.state(transaction).rows
      try vectors.check(rows: committed)
      let change = try database.nextChange(transaction)
      let old = try entries.map { entry in
        let place = try database.place(of: entry.id, transaction)
        try check(entry, place)
        return place?.row
      }
      let rows = try database.rows(entries.count, mayReuse: mayReuseRows(), transaction)
      // Now, and not before: their own rows are not to be written over before the transaction holds.
      for case let row? in old { try database.delete(at: row, transaction) }
      for (entry, row) in zip(entries, rows) {
        let place = IndexDatabase.Place(
          row: row,
          digest: entry.digest,
          checksum: Self.checksum(entry.vector),
          change: change
        )
        try database.insert(entry, place, transaction)
      }
      try vectors.write(entries.map(\.vector), to: rows, committed: committed)
    }
  }

  /// Forgets entries.
  ///
  /// - Parameter ids: Of those that need not be there.
  /// - Returns: How many were there.
  /// - Throws: ``RetrievalError`` if a file is damaged, or the system refuses.
  @discardableResult
  public func remove(_ ids: [String]) throws -> Int {
    try requireWriting()
    return try database.write { transaction in
      var count = 0
      for id in ids {
        guard let place = try database.place(of: id, transaction) else { continue }
        try database.delete(at: place.row, transaction)
        count += 1
      }
      if count > 0 { _ = try database.nextChange(transaction) }
      return count
    }
  }

  /// Entries by their ids; `nil` where there is none.
  public func entries(_ ids: [String]) throws -> [VectorEntry?] {
    try reading { snapshot in
      try vectors.tensor(rows: snapshot.state.rows).withBytes { bytes in
        try ids.map { id in
          guard let place = try database.place(of: id, snapshot.transaction) else { return nil }
          let vector = try vector(at: place.row, bytes)
          guard Self.checksum(vector) == place.checksum else { throw damaged(id) }
          return VectorEntry(
            id: id,
            vector: vector,
            metadata: try database.metadata(at: place.row, snapshot.transaction),
            digest: place.digest
          )
        }
      }
    }
  }

  /// The digests of what entries were made from, in the order of the ids' bytes.
  public func digests(
    after id: String?,
    limit: Int
  ) throws -> [(id: String, digest: String)] {
    try database.read { transaction in
      try Row.fetchAll(
        transaction,
        sql: "SELECT id, digest FROM entries WHERE id > ? ORDER BY id LIMIT ?",
        arguments: [id ?? "", limit]
      ).map { (try database.value($0, "id"), try database.value($0, "digest")) }
    }
  }

  /// Compares every vector with what was written.
  ///
  /// - Returns: The ids of the entries whose vectors are damaged.
  /// - Throws: ``RetrievalError`` if the files cannot be read at all.
  public func damagedEntries() throws -> [String] {
    try reading { snapshot in
      try vectors.tensor(rows: snapshot.state.rows).withBytes { bytes in
        var damaged: [String] = []
        let rows = try Row.fetchCursor(
          snapshot.transaction,
          sql: "SELECT row, id, checksum FROM entries ORDER BY row"
        )
        while let row = try rows.next() {
          let checksum = UInt32(
            truncatingIfNeeded: try database.value(row, "checksum") as Int
          )
          if Self.checksum(try vector(at: database.value(row, "row"), bytes)) != checksum {
            damaged.append(try database.value(row, "id"))
          }
        }
        return damaged
      }
    }
  }

  private func vector(at row: Int, _ bytes: UnsafeRawBufferPointer) throws -> [Float] {
    let size = dimension * MemoryLayout<Float>.size
    guard row >= 0, (row + 1) * size <= bytes.count else {
      throw IndexDatabase.damaged(database.path, "an entry has a row that does not exist")
    }
    return Array(
      UnsafeRawBufferPointer(rebasing: bytes[row * size..<(row + 1) * size]).bindMemory(
        to: Float.self
      )
    )
  }

  func damaged(_ id: String) -> RetrievalError {
    RetrievalError(
      code: .malformedFile,
      message: "\(vectors.path) is damaged: the vector of '\(id)' is not what was written"
    )
  }

  static func checksum(_ vector: [Float]) -> UInt32 {
    vector.withUnsafeBytes { CRC32C.checksum(of: $0) }
  }
}
