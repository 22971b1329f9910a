internal import Foundation
internal import SystemPackage
internal import TesseraRun

/// Files with a row of named values for each picture or text: `.csv`, `.tsv` and `.jsonl`, each also compressed as `….gz`.
enum TableFile {
  /// A row.
  struct Row {
    /// The number of the line that it begins on.
    var line: Int
    /// What it says; of delimited files these are texts.
    var values: [String: MetadataValue]
    /// The names of values that are no texts, numbers or booleans.
    var others: [String] = []

    /// The text under the first of some names that there is; `nil` if there is none, or it is no text.
    func text(_ names: [String]) -> String? {
      for name in names {
        if case .text(let text)? = values[name] { return text }
      }
      return nil
    }
  }

  /// What pictures are called in a table.
  static let pictureNames = ["picture", "image", "path"]
  /// What texts are called in a table.
  static let textNames = ["text", "caption"]

  /// The ending of a table's name, without that of compression; `nil` if it is no table's.
  static func ending(of path: FilePath) -> String? {
    var name = path.lastComponent?.string.lowercased() ?? ""
    if name.hasSuffix(".gz") { name.removeLast(3) }
    return FilePath(name).extension.flatMap { ["csv", "tsv", "jsonl"].contains($0) ? $0 : nil }
  }

  /// Reads a table.
  ///
  /// Of a delimited one (RFC 4180, in UTF-8) the first line names the columns, and empty fields are nothing. Of a list each line is a JSON
  /// object.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - names: One of these is to be among the columns.
  ///   - body: Takes each row.
  /// - Throws: ``RetrievalError``, naming the file and the line, if it is missing, damaged, or lacks a column; whatever `body` throws.
  static func read(
    _ path: FilePath,
    withOneOf names: [String],
    _ body: (Row) throws -> Void
  ) throws {
    switch ending(of: path) {
    case let ending? where ending != "jsonl":
      let delimiter: Character = ending == "csv" ? "," : "\t"
      try DelimitedTable.read(path, delimiter: delimiter, withOneOf: names) { fields, line in
        let filled = fields.filter { !$0.value.isEmpty }
        try body(Row(line: line, values: filled.mapValues { .text($0) }))
      }
    case .some:
      let decoder = JSONDecoder()
      try TextLines.read(path) { line, number in
        guard !line.isEmpty else { return }
        do {
          let object = try decoder.decode([String: Value].self, from: Data(line.utf8))
          var row = Row(line: number, values: [:])
          for (name, value) in object {
            switch value {
            case .known(let value): row.values[name] = value
            case .other: row.others.append(name)
            case .nothing: continue
            }
          }
          row.others.sort()
          try body(row)
        } catch let error as DecodingError {
          throw JSONLines.malformed(path, number, error.fieldDescription)
        }
      }
    case nil:
      throw RetrievalError(
        code: .invalidArgument,
        message: "\(path) is no table: its name ends neither with .csv, .tsv nor .jsonl"
      )
    }
  }

  private enum Value: Decodable {
    case known(MetadataValue)
    case other
    case nothing

    init(from decoder: any Decoder) throws {
      if try decoder.singleValueContainer().decodeNil() {
        self = .nothing
      } else if let value = try? MetadataValue(from: decoder) {
        self = .known(value)
      } else {
        self = .other
      }
    }
  }
}
