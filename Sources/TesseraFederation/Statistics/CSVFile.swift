internal import Foundation
public import SystemPackage

/// A file of comma-separated values with a header, read strictly (RFC 4180).
///
/// Lines end with LF or CRLF. A field in double quotes may hold commas, line ends and doubled quotes; a quote anywhere else, an
/// open one at the end, and a row with more or fewer fields than the header are errors with file and line. Errors never quote
/// what a file holds.
public struct CSVFile: Sendable {
  /// Where it is.
  public let path: FilePath
  /// The names of the columns, in order.
  public let header: [String]
  /// What separates fields.
  public let delimiter: UInt8
  private let bytes: Data

  /// How many columns a file may have.
  public static let largestColumnCount = 100_000
  /// How long a field may be, in bytes.
  public static let largestField = 1 << 20

  /// Opens a file and reads its header.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - delimiter: What separates fields, an ASCII character.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/malformedData``.
  public init(contentsOf path: FilePath, delimiter: Unicode.Scalar = ",") throws {
    self.path = path
    do {
      bytes = try Data(contentsOf: URL(filePath: path.string), options: .mappedIfSafe)
    } catch {
      throw FederationError(code: .malformedData, message: "\(path) cannot be read")
    }
    guard delimiter.isASCII, !["\"", "\n", "\r"].contains(delimiter) else {
      throw FederationError(code: .malformedData, message: "\(path): fields cannot be separated so")
    }
    self.delimiter = UInt8(delimiter.value)
    var header: [String]?
    try Self.read(bytes, path, self.delimiter) { line, fields in
      header = fields
      return false
    }
    guard let header else {
      throw FederationError(code: .malformedData, message: "\(path) is empty")
    }
    for (position, name) in header.enumerated() {
      guard !name.isEmpty, header.firstIndex(of: name) == position else {
        let problem = name.isEmpty ? "has no name" : "is named '\(name)' like an earlier one"
        throw FederationError(
          code: .malformedData,
          message: "\(path), line 1: column \(position + 1) \(problem)"
        )
      }
    }
    self.header = header
  }

  /// Hands over each row after the header, with the number of the line that it begins in.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/malformedData``, and what `body` throws.
  public func forEachRow(_ body: (_ line: Int, _ fields: [String]) throws -> Void) throws {
    var isHeader = true
    try Self.read(bytes, path, delimiter) { line, fields in
      if isHeader {
        isHeader = false
        return true
      }
      guard fields.count == header.count else {
        throw FederationError(
          code: .malformedData,
          message:
            "\(path), line \(line): \(fields.count) fields where \(header.count) are expected"
        )
      }
      try body(line, fields)
      return true
    }
  }

  private enum Place { case start, plain, quoted, afterQuote }

  /// Reads rows until `body` has enough.
  private static func read(
    _ bytes: Data,
    _ path: FilePath,
    _ delimiter: UInt8,
    _ body: (_ line: Int, _ fields: [String]) throws -> Bool
  ) throws {
    let (quote, newline, carriageReturn) = (
      UInt8(ascii: "\""), UInt8(ascii: "\n"), UInt8(ascii: "\r")
    )
    var (line, firstLine, place) = (1, 1, Place.start)
    var (field, fields): ([UInt8], [String]) = ([], [])
    func malformed(_ problem: String, at line: Int) -> FederationError {
      FederationError(code: .malformedData, message: "\(path), line \(line): \(problem)")
    }
    func finishField() throws {
      guard let text = String(validating: field, as: UTF8.self) else {
        throw malformed("field \(fields.count + 1) is not UTF-8", at: line)
      }
      guard fields.count < largestColumnCount else {
        throw malformed("there are more than \(largestColumnCount) fields", at: line)
      }
      fields.append(text)
      field.removeAll(keepingCapacity: true)
      place = .start
    }
    func finishRow() throws -> Bool {
      try finishField()
      defer {
        fields = []
        firstLine = line + 1
      }
      return try body(firstLine, fields)
    }

    let hasMark = bytes.starts(with: [0xEF, 0xBB, 0xBF])
    var position = bytes.startIndex + (hasMark ? 3 : 0)
    while position < bytes.endIndex {
      let byte = bytes[position]
      position += 1
      if place == .quoted {
        if byte == newline { line += 1 }
        if byte != quote {
          field.append(byte)
        } else if position < bytes.endIndex, bytes[position] == quote {
          field.append(quote)
          position += 1
        } else {
          place = .afterQuote
        }
      } else if byte == newline {
        guard try finishRow() else { return }
        line += 1
      } else if byte == carriageReturn {
        guard position < bytes.endIndex, bytes[position] == newline else {
          throw malformed("a carriage return that ends no line", at: line)
        }
      } else if byte == delimiter {
        try finishField()
      } else if byte == quote, place == .start {
        place = .quoted
      } else if byte == quote || place == .afterQuote {
        throw malformed("a quote inside field \(fields.count + 1)", at: line)
      } else {
        place = .plain
        field.append(byte)
      }
      guard field.count <= largestField else {
        throw malformed("field \(fields.count + 1) is longer than \(largestField) bytes", at: line)
      }
    }
    guard place != .quoted else { throw malformed("a quote is never closed", at: firstLine) }
    // The last line may do without an end.
    if place != .start || !fields.isEmpty { _ = try finishRow() }
  }
}
