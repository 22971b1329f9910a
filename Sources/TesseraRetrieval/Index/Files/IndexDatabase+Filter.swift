internal import GRDB

extension IndexDatabase {
  /// The rows whose entries fulfil a filter.
  ///
  /// Each comparison is a selection of its own by an index; what joins them works on bits. One statement for all would meet SQLite's limits of
  /// how deep statements go.
  func rows(
    fulfilling filter: VectorFilter,
    among live: RowSet,
    _ database: Database
  ) throws -> RowSet {
    func rows(_ name: String, _ condition: String, _ values: [DatabaseValue]) throws -> RowSet {
      var rows = RowSet(rows: try state(database).rows, isFull: false)
      let isID = name == VectorFilter.idName
      let found = try Int.fetchCursor(
        database,
        sql: isID
          ? "SELECT row FROM (SELECT row, id AS value FROM entries) WHERE \(condition)"
          : """
          SELECT row FROM attributes \
          WHERE name = (SELECT name FROM names WHERE text = ?) AND \(condition)
          """,
        arguments: StatementArguments(isID ? values : [name.databaseValue] + values)
      )
      while let row = try found.next() { rows.insert(row) }
      return rows
    }
    switch filter {
    case .equals(let name, let value): return try rows(name, "value = ?", [value.databaseValue])
    case .isIn(let name, let values):
      var all = RowSet(rows: 0, isFull: false)
      // SQLite limits how many values a statement has.
      for start in stride(from: 0, to: values.count, by: 1000) {
        let part = values[start..<min(values.count, start + 1000)]
        let marks = part.map { _ in "?" }.joined(separator: ", ")
        all.formUnion(try rows(name, "value IN (\(marks))", part.map(\.databaseValue)))
      }
      return all
    case .compares(let name, let comparison, let value):
      let kind =
        switch value {
        case .number: "typeof(value) IN ('integer', 'real')"
        case .text: "typeof(value) = 'text'"
        case .boolean: "0"
        }
      return try rows(name, "value \(comparison.rawValue) ? AND \(kind)", [value.databaseValue])
    case .hasPrefix(let name, let prefix):
      // Texts that begin with it come after it, and the bytes say which.
      return try rows(
        name,
        """
        typeof(value) = 'text' AND value >= ? \
        AND substr(CAST(value AS BLOB), 1, ?) = CAST(? AS BLOB)
        """,
        [prefix.databaseValue, prefix.utf8.count.databaseValue, prefix.databaseValue]
      )
    case .matches(let name, let glob):
      return try rows(
        name,
        "typeof(value) = 'text' AND value >= ? AND path_glob(?, value)",
        [glob.prefix.databaseValue, glob.pattern.databaseValue]
      )
    case .has(let name): return try rows(name, "1", [])
    case .all(let parts):
      var all = live
      for part in parts {
        all.formIntersection(try self.rows(fulfilling: part, among: live, database))
      }
      return all
    case .any(let parts):
      var all = RowSet(rows: 0, isFull: false)
      for part in parts { all.formUnion(try self.rows(fulfilling: part, among: live, database)) }
      return all
    case .not(let part):
      var rest = live
      rest.subtract(try self.rows(fulfilling: part, among: live, database))
      return rest
    }
  }
}
