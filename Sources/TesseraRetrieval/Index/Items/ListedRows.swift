internal import SystemPackage

/// What a table says of pictures or texts that are to be in an index.
struct ListedRows {
  let file: FilePath
  private(set) var rows: [TableFile.Row] = []
  private let names: [String]
  private var ids: Set<String> = []

  /// Reads a table.
  ///
  /// - Parameters:
  ///   - file: The file.
  ///   - names: What the column or field may be called that each row has, whose values are texts.
  /// - Throws: ``RetrievalError``, naming the file and the line.
  init(_ file: FilePath, of names: [String]) throws {
    self.file = file
    self.names = names
    let isTyped = TableFile.ending(of: file) == "jsonl"
    var rows: [TableFile.Row] = []
    try TableFile.read(file, withOneOf: names) { row in
      if let name = row.others.first {
        throw JSONLines.malformed(
          file,
          row.line,
          "the field '\(name)' is neither a text, a number nor a boolean"
        )
      }
      var row = row
      if !isTyped {
        for (name, value) in row.values where !names.contains(name) && name != VectorFilter.idName {
          if case .text(let field) = value { row.values[name] = MetadataValue(field: field) }
        }
      }
      rows.append(row)
    }
    self.rows = rows
  }

  /// A row's path or text, its id, and what else it says.
  ///
  /// - Parameters:
  ///   - row: The row.
  ///   - usual: Its id if it says none.
  /// - Returns: The three.
  /// - Throws: ``RetrievalError``, naming the file and the line, if there is no such text, or the id is no text or comes twice.
  mutating func parts(
    of row: TableFile.Row,
    usualID usual: (_ text: String) -> String
  ) throws -> (text: String, id: String, metadata: [String: MetadataValue]) {
    var metadata = row.values
    guard let name = names.first(where: { metadata[$0] != nil }),
      case .text(let text)? = metadata.removeValue(forKey: name), !text.isEmpty
    else {
      throw JSONLines.malformed(file, row.line, "the field '\(names[0])' is missing, or no text")
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
