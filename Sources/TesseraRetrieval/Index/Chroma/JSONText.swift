/// A value that is written as JSON: numbers keep their kind, as the server distinguishes `3` from `3.0`.
enum JSONText {
  case text(String)
  case number(Double)
  case integer(Int)
  case boolean(Bool)
  case null
  case vector([Float])
  case list([JSONText])
  case object([(name: String, value: JSONText)])

  init(_ value: MetadataValue) {
    switch value {
    case .text(let text): self = .text(text)
    case .number(let number): self = .number(number)
    case .boolean(let flag): self = .boolean(flag)
    }
  }

  /// The text, in UTF-8.
  var bytes: [UInt8] {
    var bytes: [UInt8] = []
    write(to: &bytes)
    return bytes
  }

  private func write(to bytes: inout [UInt8]) {
    func list<Element>(
      _ elements: [Element],
      _ open: Character,
      _ close: Character,
      _ body: (Element, inout [UInt8]) -> Void
    ) {
      bytes += "\(open)".utf8
      for (number, element) in elements.enumerated() {
        if number > 0 { bytes.append(UInt8(ascii: ",")) }
        body(element, &bytes)
      }
      bytes += "\(close)".utf8
    }
    switch self {
    case .text(let text): Self.write(text, to: &bytes)
    case .number(let number): bytes += "\(number)".utf8
    case .integer(let number): bytes += "\(number)".utf8
    case .boolean(let flag): bytes += (flag ? "true" : "false").utf8
    case .null: bytes += "null".utf8
    case .vector(let numbers): list(numbers, "[", "]") { $1 += "\($0)".utf8 }
    case .list(let values): list(values, "[", "]") { $0.write(to: &$1) }
    case .object(let members):
      list(members, "{", "}") { member, bytes in
        Self.write(member.name, to: &bytes)
        bytes.append(UInt8(ascii: ":"))
        member.value.write(to: &bytes)
      }
    }
  }

  private static func write(_ text: String, to bytes: inout [UInt8]) {
    bytes.append(UInt8(ascii: "\""))
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes += [UInt8(ascii: "\\"), byte]
      case 0..<0x20:
        let digits = String(byte, radix: 16)
        bytes += "\\u\(String(repeating: "0", count: 4 - digits.count))\(digits)".utf8
      default: bytes.append(byte)
      }
    }
    bytes.append(UInt8(ascii: "\""))
  }
}
