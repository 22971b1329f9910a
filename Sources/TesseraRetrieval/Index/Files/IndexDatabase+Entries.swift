internal import Foundation
internal import GRDB

// Entries and their rows, within a transaction.
extension IndexDatabase {
  /// Where an entry is.
  struct Place {
    var row: Int
    var digest: String
    /// Of the vector's bytes.
    var checksum: UInt32
    /// The transaction that gave the row to the entry.
    var change: Int
  }

  func place(of id: String, _ database: Database) throws -> Place? {
    let statement = try database.cachedStatement(
      sql: "SELECT row, digest, checksum, change FROM entries WHERE id = ?"
    )
    return try Row.fetchOne(statement, arguments: [id]).map(place)
  }

  /// The id of a row's entry, and the rest.
  func entry(at row: Int, _ database: Database) throws -> (id: String, place: Place)? {
    let statement = try database.cachedStatement(
      sql: "SELECT row, digest, checksum, change, id FROM entries WHERE row = ?"
    )
    return try Row.fetchOne(statement, arguments: [row]).map {
      (try value($0, "id"), try place($0))
    }
  }

  private func place(_ row: Row) throws -> Place {
    Place(
      row: try value(row, "row"),
      digest: try value(row, "digest"),
      checksum: UInt32(truncatingIfNeeded: try value(row, "checksum") as Int),
      change: try value(row, "change")
    )
  }

  func metadata(at row: Int, _ database: Database) throws -> [String: MetadataValue] {
    let statement = try database.cachedStatement(
      sql: "SELECT text, value FROM attributes JOIN names USING (name) WHERE row = ?"
    )
    var metadata: [String: MetadataValue] = [:]
    let rows = try Row.fetchCursor(statement, arguments: [row])
    while let attribute = try rows.next() {
      metadata[try value(attribute, "text")] = MetadataValue(
        try value(attribute, "value") as DatabaseValue
      )
    }
    return metadata
  }

  /// Rows for new vectors: free ones if they may be written over, then new ones at the end.
  func rows(_ count: Int, mayReuse: Bool, _ database: Database) throws -> [Int] {
    var rows: [Int] = []
    if mayReuse {
      rows = try Int.fetchAll(
        database,
        sql: "SELECT row FROM free ORDER BY row LIMIT ?",
        arguments: [count]
      )
      let statement = try database.cachedStatement(sql: "DELETE FROM free WHERE row = ?")
      for row in rows { try statement.execute(arguments: [row]) }
    }
    let end = try state(database).rows
    let new = count - rows.count
    rows += end..<end + new
    if new > 0 {
      try database.execute(sql: "UPDATE state SET rows = ?", arguments: [end + new])
    }
    return rows
  }

  /// Counts a transaction.
  ///
  /// - Returns: Its number.
  func nextChange(_ database: Database) throws -> Int {
    try database.execute(sql: "UPDATE state SET change = change + 1")
    return try state(database).change
  }

  func insert(_ entry: VectorEntry, _ place: Place, _ database: Database) throws {
    try database.cachedStatement(
      sql: "INSERT INTO entries (row, id, digest, checksum, change) VALUES (?, ?, ?, ?, ?)"
    ).execute(
      arguments: [place.row, entry.id, place.digest, Int(place.checksum), place.change]
    )
    for (name, value) in entry.metadata {
      try database.cachedStatement(sql: "INSERT OR IGNORE INTO names (text) VALUES (?)")
        .execute(arguments: [name])
      try database.cachedStatement(
        sql: """
          INSERT INTO attributes (row, name, value) \
          VALUES (?, (SELECT name FROM names WHERE text = ?), ?)
          """
      ).execute(arguments: [place.row, name, value.databaseValue])
    }
  }

  /// Forgets an entry, and frees its row.
  func delete(at row: Int, _ database: Database) throws {
    for sql in [
      "DELETE FROM entries WHERE row = ?", "DELETE FROM attributes WHERE row = ?",
      "INSERT INTO free (row) VALUES (?)",
    ] { try database.cachedStatement(sql: sql).execute(arguments: [row]) }
  }

  /// The rows that have an entry.
  func live(_ database: Database) throws -> RowSet {
    var live = RowSet(rows: try state(database).rows, isFull: true)
    let free = try Int.fetchCursor(database, sql: "SELECT row FROM free")
    while let row = try free.next() { live.remove(row) }
    return live
  }
}

extension MetadataValue {
  fileprivate init(_ value: DatabaseValue) {
    switch value.storage {
    case .string(let text): self = .text(text)
    case .int64(let number): self = .number(Double(number))
    case .double(let number): self = .number(number)
    case .blob(let data): self = .boolean(data.first == 1)
    case .null: self = .boolean(false)
    }
  }

  /// The value as the database keeps it.
  var databaseValue: DatabaseValue {
    switch self {
    case .text(let text): text.databaseValue
    case .number(let number): number.databaseValue
    case .boolean(let flag): Data([flag ? 1 : 0]).databaseValue
    }
  }
}
