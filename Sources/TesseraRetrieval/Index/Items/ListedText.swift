internal import Foundation
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
  /// A `.csv` or `.jsonl` file has `text` in each row, perhaps `id`, and metadata; any other file a text a line. A text without an id has the
  /// number of its line for one; empty lines are left out.
  ///
  /// - Parameter file: In UTF-8.
  /// - Returns: The texts, in the order of the lines.
  /// - Throws: ``RetrievalError``, naming the file and the line.
  public static func all(in file: FilePath) throws -> [ListedText] {
    if let ending = file.extension?.lowercased(), ending == "csv" || ending == "jsonl" {
      var list = try ListedRows(file, of: "text")
      return try list.rows.map { row in
        let (text, id, metadata) = try list.parts(of: row, "text") { _ in "\(row.line)" }
        return ListedText(id: id, text: text, metadata: metadata)
      }
    }
    guard let data = FileManager.default.contents(atPath: file.string) else {
      throw RetrievalError(code: .missingFile, message: "\(file) cannot be read")
    }
    guard let text = String(validating: data, as: UTF8.self) else {
      throw RetrievalError(code: .malformedFile, message: "\(file) is not UTF-8")
    }
    return text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated()
      .filter { !$0.element.isEmpty }
      .map { ListedText(id: "\($0.offset + 1)", text: String($0.element)) }
  }
}
