internal import Foundation
internal import SystemPackage
internal import TesseraCore

/// The records of a table in text (RFC 4180): commas between fields, quotes around those with commas, quotes or ends of lines.
struct CommaSeparated {
  private let path: FilePath
  private let bytes: [UInt8]
  private var index = 0
  private var line = 1

  /// Reads a table.
  ///
  /// - Parameter path: In UTF-8.
  /// - Throws: ``RetrievalError`` if it cannot be read.
  init(contentsOf path: FilePath) throws {
    self.path = path
    let file = try JSONLines.open(path)
    bytes = withExtendedLifetime(file) { Array(file.bytes) }
    // Spreadsheets put a mark in front.
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { index = 3 }
  }

  /// The next record and the line that it begins on; empty lines are left out.
  mutating func next() throws -> (line: Int, fields: [String])? {
    while index < bytes.count,
      bytes[index] == UInt8(ascii: "\n") || bytes[index] == UInt8(ascii: "\r")
    {
      if bytes[index] == UInt8(ascii: "\n") { line += 1 }
      index += 1
    }
    guard index < bytes.count else { return nil }
    let start = line
    var fields: [String] = []
    while true {
      fields.append(try field())
      guard index < bytes.count else { break }
      let separator = bytes[index]
      index += 1
      if separator == UInt8(ascii: ",") { continue }
      if separator == UInt8(ascii: "\r"), index < bytes.count, bytes[index] == UInt8(ascii: "\n") {
        index += 1
      }
      line += 1
      break
    }
    return (start, fields)
  }

  /// A field, up to what separates it from the next.
  private mutating func field() throws -> String {
    var content: [UInt8] = []
    let isQuoted = index < bytes.count && bytes[index] == UInt8(ascii: "\"")
    if isQuoted {
      let start = line
      index += 1
      while true {
        guard index < bytes.count else {
          throw JSONLines.malformed(path, start, "a quote is not closed")
        }
        let byte = bytes[index]
        index += 1
        if byte == UInt8(ascii: "\"") {
          guard index < bytes.count, bytes[index] == byte else { break }
          index += 1
        }
        if byte == UInt8(ascii: "\n") { line += 1 }
        content.append(byte)
      }
      guard index == bytes.count || [UInt8(ascii: ","), 10, 13].contains(bytes[index]) else {
        throw JSONLines.malformed(path, line, "a comma is missing after a quote")
      }
    } else {
      while index < bytes.count, ![UInt8(ascii: ","), 10, 13].contains(bytes[index]) {
        content.append(bytes[index])
        index += 1
      }
    }
    guard let text = String(validating: content, as: UTF8.self) else {
      throw JSONLines.malformed(path, line, "it is not UTF-8")
    }
    return text
  }
}
