internal import SystemPackage

/// What a table or a list says of pictures or texts: a row of named values for each.
struct ListedRows {
  /// A row, and the line that it begins on.
  typealias Row = (line: Int, values: [String: MetadataValue])

  let file: FilePath
  private(set) var rows: [Row] = []
  private var ids: Set<String> = []

  /// Reads a `.csv` or `.jsonl` file.
  ///
  /// Of a table (RFC 4180, in UTF-8) the first line names the columns; what looks like a number is one, `true` and `false` are booleans, and
  /// empty fields are nothing. Of a list each line is a JSON object.
  ///
  /// - Parameters:
  ///   - file: The file.
  ///   - name: The column or key that each row has, whose values are texts.
  /// - Throws: ``RetrievalError``, naming the file and the line.
  init(_ file: FilePath, of name: String) throws {
    self.file = file
    if file.extension?.lowercased() == "csv" {
      try readTable(name)
    } else {
      try JSONLines.read([String: MetadataValue].self, from: file) { values, number in
        rows.append((line: number, values: values))
      }
    }
  }

  private mutating func readTable(_ name: String) throws {
    var table = try CommaSeparated(contentsOf: file)
    guard let columns = try table.next()?.fields, columns.contains(name) else {
      throw JSONLines.malformed(file, 1, "it names the columns, of which one is '\(name)'")
    }
    guard Set(columns).count == columns.count else {
      throw JSONLines.malformed(file, 1, "a column comes twice")
    }
    while let (line, fields) = try table.next() {
      guard fields.count == columns.count else {
        throw JSONLines.malformed(
          file,
          line,
          "it has \(fields.count) fields; there are \(columns.count) columns"
        )
      }
      var values: [String: MetadataValue] = [:]
      for (column, field) in zip(columns, fields) where !field.isEmpty {
        values[column] =
          column == name || column == VectorFilter.idName
          ? .text(field) : MetadataValue(field: field)
      }
      rows.append((line: line, values: values))
    }
  }

  /// The text that a row has under a name, its id, and what else it says.
  ///
  /// - Parameters:
  ///   - row: The row.
  ///   - name: Of the text.
  ///   - usual: Its id if it says none.
  /// - Returns: The three.
  /// - Throws: ``RetrievalError``, naming the file and the line, if there is no such text, or the id is no text or comes twice.
  mutating func parts(
    of row: Row,
    _ name: String,
    usualID usual: (_ text: String) -> String
  ) throws -> (text: String, id: String, metadata: [String: MetadataValue]) {
    var metadata = row.values
    guard case .text(let text)? = metadata.removeValue(forKey: name), !text.isEmpty else {
      throw JSONLines.malformed(file, row.line, "the field '\(name)' is missing, or no text")
    }
    let id: String
    switch metadata.removeValue(forKey: VectorFilter.idName) {
    case nil: id = usual(text)
    case .text(let text)? where !text.isEmpty: id = text
    default: throw JSONLines.malformed(file, row.line, "the field 'id' is empty, or no text")
    }
    guard ids.insert(id).inserted else {
      throw JSONLines.malformed(file, row.line, "its id comes twice")
    }
    return (text, id, metadata)
  }
}

extension MetadataValue {
  /// What a field of a table means.
  fileprivate init(field: String) {
    // Not `nan`, `inf` or hexadecimal numbers, which are words to a person.
    let isNumeric = field.utf8.allSatisfy { "+-.eE0123456789".utf8.contains($0) }
    if isNumeric, let number = Double(field), number.isFinite {
      self = .number(number)
    } else {
      self = field == "true" || field == "false" ? .boolean(field == "true") : .text(field)
    }
  }
}
