public import SystemPackage

/// A text that is to be in an index.
public struct ListedText: Sendable, Hashable {
  /// Its name in the index.
  public var id: String
  /// The text.
  public var text: String
  /// What is known of it.
  public var metadata: [String: MetadataValue]

  /// Makes one.
  public init(id: String, text: String, metadata: [String: MetadataValue] = [:]) {
    self.id = id
    self.text = text
    self.metadata = metadata
  }

  /// The texts of a file, by what it is.
  ///
  /// A `.csv`, `.tsv` or `.jsonl` file has `text` (or `caption`) in each row, perhaps `id`, and metadata; any other file a text a line. A text without an id has the
  /// number of its line for one; empty lines are left out.
  ///
  /// - Parameter file: In UTF-8, compressed by gzip or not.
  /// - Returns: The texts, in the order of the lines.
  /// - Throws: ``RetrievalError``, naming the file and the line.
  public static func all(in file: FilePath) throws -> [ListedText] {
    if TableFile.ending(of: file) != nil {
      var list = try ListedRows(file, of: TableFile.textNames)
      return try list.rows.map { row in
        let (text, id, metadata) = try list.parts(of: row) { _ in "\(row.line)" }
        return ListedText(id: id, text: text, metadata: metadata)
      }
    }
    var texts: [ListedText] = []
    try TextLines.read(file) { line, number in
      if !line.isEmpty { texts.append(ListedText(id: "\(number)", text: line)) }
    }
    return texts
  }
}
