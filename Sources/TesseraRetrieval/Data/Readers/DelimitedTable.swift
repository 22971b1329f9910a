internal import SystemPackage

/// Tables with a first row of names, their fields between commas or tabs, quoted as RFC 4180 says.
enum DelimitedTable {
  /// The most lines that a quoted field may have.
  private static let mostLines = 10_000

  /// Reads a table.
  ///
  /// - Parameters:
  ///   - path: The file, compressed by gzip or not.
  ///   - delimiter: What stands between fields.
  ///   - required: One of these is to be among the columns, if there are any.
  ///   - body: Takes a row's fields by name, and the number of its first line.
  /// - Throws: ``RetrievalError``, naming the file and the line, if a row has more or fewer fields than names, or a quotation mark is not
  ///   closed; whatever `body` throws.
  static func read(
    _ path: FilePath,
    delimiter: Character,
    withOneOf required: [String] = [],
    _ body: (_ row: [String: String], _ line: Int) throws -> Void
  ) throws {
    var names: [String]?
    var (open, first) = ("", 0)
    func take(_ record: String) throws {
      let fields = try fields(of: record, delimiter) { throw JSONLines.malformed(path, first, $0) }
      guard let header = names else {
        guard Set(fields).count == fields.count else {
          throw JSONLines.malformed(path, first, "two columns have one name")
        }
        if let name = required.first, required.allSatisfy({ !fields.contains($0) }) {
          throw JSONLines.malformed(
            path,
            first,
            "it names the columns, of which one has to be '\(name)'"
          )
        }
        names = fields
        return
      }
      guard fields.count == header.count else {
        throw JSONLines.malformed(
          path,
          first,
          "it has \(fields.count) fields; the first line names \(header.count)"
        )
      }
      try body(Dictionary(uniqueKeysWithValues: zip(header, fields)), first)
    }
    var last = 0
    try TextLines.read(path) { line, number in
      last = number
      if open.isEmpty {
        if line.isEmpty { return }
        first = number
        open = line
      } else {
        open += "\n" + line
      }
      // Marks within a quoted field are doubled: an odd number is one that is still open.
      guard open.utf8.count(where: { $0 == UInt8(ascii: "\"") }).isMultiple(of: 2) else {
        guard number - first < mostLines else {
          throw JSONLines.malformed(path, first, "a quotation mark is not closed")
        }
        return
      }
      let record = open
      open = ""
      try take(record)
    }
    guard open.isEmpty else {
      throw JSONLines.malformed(path, first, "a quotation mark is not closed")
    }
    guard names != nil else {
      throw JSONLines.malformed(path, last + 1, "the names of the columns are missing")
    }
  }

  private static func fields(
    of record: String,
    _ delimiter: Character,
    _ malformed: (String) throws -> Void
  ) throws -> [String] {
    var (fields, field): ([String], String) = ([], "")
    var characters = record.unicodeScalars.makeIterator()
    let separator = delimiter.unicodeScalars.first
    var (isQuoted, wasQuoted) = (false, false)
    var ahead: Unicode.Scalar?
    while let scalar = ahead ?? characters.next() {
      ahead = nil
      if isQuoted {
        guard scalar == "\"" else {
          field.unicodeScalars.append(scalar)
          continue
        }
        ahead = characters.next()
        if ahead == "\"" {
          field.unicodeScalars.append("\"")
          ahead = nil
        } else {
          (isQuoted, wasQuoted) = (false, true)
        }
      } else if scalar == separator {
        fields.append(field)
        (field, wasQuoted) = ("", false)
      } else if scalar == "\"", field.isEmpty, !wasQuoted {
        isQuoted = true
      } else {
        if wasQuoted { try malformed("text follows a quoted field") }
        field.unicodeScalars.append(scalar)
      }
    }
    return fields + [field]
  }
}
