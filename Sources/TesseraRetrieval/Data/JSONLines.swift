internal import Foundation
internal import SystemPackage
internal import TesseraCore
internal import TesseraRun

/// Files with a JSON object a line.
enum JSONLines {
  /// How many lines are decoded at a time: a decoder's start costs as much as several lines.
  private static let batch = 2048
  private static let newline = UInt8(ascii: "\n")

  /// Reads all lines of a file.
  ///
  /// - Parameters:
  ///   - type: What each line holds.
  ///   - path: The file.
  ///   - body: Takes what a line holds, and its number from 1.
  /// - Throws: ``RetrievalError``, naming the file and the line, if it cannot be read, a line is not such an object, or the last one is
  ///   cut off; whatever `body` throws.
  static func read<Line: Decodable>(
    _ type: Line.Type,
    from path: FilePath,
    _ body: (Line, _ number: Int) throws -> Void
  ) throws {
    let file = try open(path)
    try withExtendedLifetime(file) {
      guard let base = file.bytes.baseAddress else { return }
      var (start, count) = (0, 0)
      /// Where the lines of the next piece end.
      var ends: [Int] = []
      func decodeLines() throws {
        guard let end = ends.last else { return }
        let piece = UnsafeRawBufferPointer(rebasing: file.bytes[start...end])
        for line in try decoded(type, piece, ends.map { $0 - start }, path, after: count) {
          count += 1
          try body(line, count)
        }
        start = end + 1
        ends.removeAll(keepingCapacity: true)
      }
      var position = 0
      while position < file.bytes.count {
        guard
          let end = memchr(base + position, Int32(newline), file.bytes.count - position)
        else {
          try decodeLines()
          throw malformed(path, count + 1, "the file ends within it")
        }
        ends.append(UnsafeRawPointer(end) - base)
        position = ends[ends.count - 1] + 1
        if ends.count == batch { try decodeLines() }
      }
      try decodeLines()
    }
  }

  /// Opens a file, mapped into memory.
  static func open(_ path: FilePath) throws -> MappedFile {
    do {
      return try MappedFile(path)
    } catch {
      throw RetrievalError(code: .missingFile, message: "\(error)")
    }
  }

  /// Decodes lines at once, as an array: each one's end becomes a comma.
  private static func decoded<Line: Decodable>(
    _ type: Line.Type,
    _ piece: UnsafeRawBufferPointer,
    _ ends: [Int],
    _ path: FilePath,
    after count: Int
  ) throws -> [Line] {
    let decoder = JSONDecoder()
    var array = Data(capacity: piece.count + 1)
    array.append(UInt8(ascii: "["))
    array.append(contentsOf: piece)
    for end in ends { array[end + 1] = UInt8(ascii: ",") }
    array[array.count - 1] = UInt8(ascii: "]")
    if let all = try? decoder.decode([Line].self, from: array), all.count == ends.count {
      return all
    }
    // One of them is wrong: which?
    return try ends.enumerated().map { number, end in
      let start = number == 0 ? 0 : ends[number - 1] + 1
      do {
        return try decoder.decode(type, from: Data(piece[start..<end]))
      } catch let error as DecodingError {
        throw malformed(path, count + number + 1, error.fieldDescription)
      }
    }
  }

  /// The error of a line that cannot be used.
  static func malformed(_ path: FilePath, _ line: Int, _ reason: String) -> RetrievalError {
    RetrievalError(code: .malformedFile, message: "\(path), line \(line): \(reason)")
  }
}

/// The text of JSON lines, as bytes: an encoder for any type would take half of the time that a large data set is written in.
struct JSONLinesText {
  private(set) var bytes: [UInt8] = []

  /// Appends an object of texts, in the given order, without those that are `nil`.
  mutating func append(_ fields: KeyValuePairs<StaticString, String?>) {
    var separator = UInt8(ascii: "{")
    for case (let name, let value?) in fields {
      bytes.append(separator)
      bytes.append(UInt8(ascii: "\""))
      name.withUTF8Buffer { bytes.append(contentsOf: $0) }
      bytes += "\":".utf8
      append(quoted: value)
      separator = UInt8(ascii: ",")
    }
    bytes += "}\n".utf8
  }

  private mutating func append(quoted text: String) {
    bytes.append(UInt8(ascii: "\""))
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"):
        bytes.append(UInt8(ascii: "\\"))
        bytes.append(byte)
      case 0..<0x20:
        let hex = String(byte, radix: 16)
        bytes += "\\u\(String(repeating: "0", count: 4 - hex.count))\(hex)".utf8
      default:
        bytes.append(byte)
      }
    }
    bytes.append(UInt8(ascii: "\""))
  }
}
