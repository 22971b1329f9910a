/// Reads a well-formed XML file piece by piece, as CLDR's: UTF-8, without entities of its own.
///
/// Foundation's parser brings libxml2 and ICU's data into every program that links it, and takes several seconds for CLDR.
struct XMLScanner {
  /// A piece of a file.
  enum Event {
    /// An element begins. One that is empty ends at once, with an ``end`` of its own.
    case start(name: String, attributes: [String: String])
    /// What stands between tags, its references replaced.
    case text(String)
    /// The element that was begun last and has not ended ends.
    case end(name: String)
  }

  /// What is not XML, and in which line.
  struct Malformed: Error {
    var line: Int
    var reason: String
  }

  private let bytes: UnsafeRawBufferPointer
  private var position = 0
  private var open: [String] = []
  private var endsAtOnce = false
  private var hasRoot = false

  /// A scanner of a file's bytes, which must stay where they are.
  init(_ bytes: UnsafeRawBufferPointer) {
    self.bytes = bytes
  }

  /// The next piece; `nil` at the end of the file.
  mutating func next() throws -> Event? {
    if endsAtOnce {
      endsAtOnce = false
      return .end(name: open.removeLast())
    }
    while position < bytes.count {
      guard bytes[position] == UInt8(ascii: "<") else {
        if let event = try text() { return event }
        continue
      }
      if starts(with: "<!--") {
        position = try end(of: "-->", after: 4)
      } else if starts(with: "<![CDATA[") {
        let start = position + 9
        position = try end(of: "]]>", after: 9)
        return .text(String(decoding: bytes[start..<position - 3], as: UTF8.self))
      } else if starts(with: "<?") {
        position = try end(of: "?>", after: 2)
      } else if starts(with: "<!") {
        position = try end(of: ">", after: 2)
        // Entities would be declared between brackets.
        guard bytes[..<position].suffix(2).first != UInt8(ascii: "]") else {
          throw malformed("declarations within the file are not supported")
        }
      } else if starts(with: "</") {
        position += 2
        let name = try self.name()
        skipSpace()
        try expect(">")
        guard open.popLast() == name else {
          throw malformed("</\(name)> ends an element that is not open")
        }
        return .end(name: name)
      } else {
        return try startTag()
      }
    }
    guard open.isEmpty else {
      throw malformed("the file ends within the element \(open[open.count - 1])")
    }
    guard hasRoot else { throw malformed("it has no element") }
    return nil
  }

  private mutating func text() throws -> Event? {
    let start = position
    position = bytes[start...].firstIndex(of: UInt8(ascii: "<")) ?? bytes.count
    let text = try replacingReferences(bytes[start..<position])
    guard !open.isEmpty else {
      guard text.utf8.allSatisfy({ $0 <= 0x20 }) || text == "\u{FEFF}" else {
        throw malformed("text stands outside the element")
      }
      return nil
    }
    return .text(text)
  }

  private mutating func startTag() throws -> Event {
    guard !open.isEmpty || !hasRoot else { throw malformed("a second element follows the first") }
    position += 1
    let name = try self.name()
    var attributes: [String: String] = [:]
    while true {
      skipSpace()
      if starts(with: "/>") {
        position += 2
        endsAtOnce = true
        break
      }
      if starts(with: ">") {
        position += 1
        break
      }
      let attribute = try self.name()
      skipSpace()
      try expect("=")
      skipSpace()
      guard position < bytes.count,
        bytes[position] == UInt8(ascii: "\"") || bytes[position] == UInt8(ascii: "'"),
        let end = bytes[(position + 1)...].firstIndex(of: bytes[position])
      else { throw malformed("the attribute \(attribute) has no value between quotation marks") }
      attributes[attribute] = try replacingReferences(bytes[position + 1..<end])
      position = end + 1
    }
    open.append(name)
    hasRoot = true
    return .start(name: name, attributes: attributes)
  }

  private mutating func name() throws -> String {
    let start = position
    while position < bytes.count, Self.isNameByte(bytes[position]) { position += 1 }
    guard position > start else { throw malformed("a name is missing") }
    return String(decoding: bytes[start..<position], as: UTF8.self)
  }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), 0x80...0xFF:
      true
    default:
      byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: ".")
        || byte == UInt8(ascii: ":")
    }
  }

  private mutating func skipSpace() {
    while position < bytes.count, bytes[position] <= 0x20 { position += 1 }
  }

  private mutating func expect(_ text: StaticString) throws {
    guard starts(with: text) else { throw malformed("'\(text)' is missing") }
    position += text.utf8CodeUnitCount
  }

  private func starts(with text: StaticString) -> Bool {
    text.withUTF8Buffer { bytes[position...].starts(with: $0) }
  }

  private func end(of mark: StaticString, after skipped: Int) throws -> Int {
    let end = mark.withUTF8Buffer { mark in
      bytes.indices.dropFirst(position + skipped).first { bytes[$0...].starts(with: mark) }
    }
    guard let end else { throw malformed("the file ends within a comment or a declaration") }
    return end + mark.utf8CodeUnitCount
  }

  private func replacingReferences(_ slice: Slice<UnsafeRawBufferPointer>) throws -> String {
    guard slice.contains(UInt8(ascii: "&")) else { return String(decoding: slice, as: UTF8.self) }
    var text = ""
    var rest = slice
    while let start = rest.firstIndex(of: UInt8(ascii: "&")) {
      text += String(decoding: rest[..<start], as: UTF8.self)
      guard let end = rest[start...].firstIndex(of: UInt8(ascii: ";")) else {
        throw malformed("a reference has no end")
      }
      let name = String(decoding: rest[(start + 1)..<end], as: UTF8.self)
      switch name {
      case "amp": text += "&"
      case "lt": text += "<"
      case "gt": text += ">"
      case "quot": text += "\""
      case "apos": text += "'"
      default:
        let number =
          name.hasPrefix("#x")
          ? UInt32(name.dropFirst(2), radix: 16)
          : name.hasPrefix("#") ? UInt32(name.dropFirst()) : nil
        guard let scalar = number.flatMap(Unicode.Scalar.init) else {
          throw malformed("the reference '&\(name.prefix(20));' means nothing")
        }
        text.unicodeScalars.append(scalar)
      }
      rest = rest[(end + 1)...]
    }
    return text + String(decoding: rest, as: UTF8.self)
  }

  private func malformed(_ reason: String) -> Malformed {
    let line = bytes.prefix(position).reduce(1) { $0 + ($1 == UInt8(ascii: "\n") ? 1 : 0) }
    return Malformed(line: line, reason: reason)
  }
}
