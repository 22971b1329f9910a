internal import CZlib
internal import Foundation
package import SystemPackage

/// The lines of a text file in UTF-8, compressed by gzip or not, whatever its name says, read piece by piece.
package enum TextLines {
  /// The longest line, in bytes.
  private static let longest = 1 << 26
  private static let newline = UInt8(ascii: "\n")

  /// Reads all lines, without their ends; an end may be missing at the end of the file.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - body: Takes a line, and its number from 1.
  /// - Throws: ``RetrievalError``, naming the file and the line, if it cannot be read, is not UTF-8, or its compressed data are damaged;
  ///   whatever `body` throws.
  static func read(_ path: FilePath, _ body: (String, _ number: Int) throws -> Void) throws {
    guard FileManager.default.isReadableFile(atPath: path.string),
      let file = gzopen(path.string, "rb")
    else { throw RetrievalError(code: .missingFile, message: "\(path) cannot be read") }
    defer { gzclose(file) }
    var (rest, count): ([UInt8], Int) = ([], 0)
    func take(_ line: UnsafeRawBufferPointer) throws {
      count += 1
      var line = line[...]
      if line.last == UInt8(ascii: "\r") { line = line.dropLast() }
      // The mark that some programs write first.
      if count == 1, line.starts(with: [0xEF, 0xBB, 0xBF]) { line = line.dropFirst(3) }
      guard let text = String(validating: line, as: UTF8.self) else {
        throw JSONLines.malformed(path, count, "it is not UTF-8")
      }
      try body(text, count)
    }
    let size = 1 << 20
    let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 16)
    defer { piece.deallocate() }
    while true {
      let read = Int(gzread(file, piece.baseAddress, UInt32(size)))
      guard read >= 0 else {
        throw JSONLines.malformed(path, count + 1, "its compressed data are damaged or cut off")
      }
      if read == 0 { break }
      var start = 0
      while let base = piece.baseAddress, start < read,
        let found = memchr(base + start, Int32(newline), read - start)
      {
        let end = UnsafeMutableRawPointer(found) - base
        let line = UnsafeRawBufferPointer(rebasing: piece[start..<end])
        if rest.isEmpty {
          try take(line)
        } else {
          rest += line
          try rest.withUnsafeBytes(take)
          rest.removeAll(keepingCapacity: true)
        }
        start = end + 1
      }
      rest += piece[start..<read]
      guard rest.count <= longest else {
        throw JSONLines.malformed(path, count + 1, "it is longer than \(longest) bytes")
      }
    }
    var code: Int32 = 0
    _ = gzerror(file, &code)
    guard code == Z_OK || code == Z_STREAM_END else {
      throw JSONLines.malformed(path, count + 1, "its compressed data are damaged or cut off")
    }
    if !rest.isEmpty { try rest.withUnsafeBytes(take) }
  }

  /// All lines of a file.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - limit: How many it may have.
  /// - Returns: Its lines, without their ends.
  /// - Throws: As ``read(_:_:)``, and with code ``RetrievalError/Code/invalidArgument`` if there are more.
  package static func all(of path: FilePath, atMost limit: Int = .max) throws -> [String] {
    var lines: [String] = []
    try read(path) { line, number in
      guard number <= limit else {
        throw RetrievalError(
          code: .invalidArgument,
          message: "\(path) has more than \(limit) lines: divide it"
        )
      }
      lines.append(line)
    }
    return lines
  }
}
