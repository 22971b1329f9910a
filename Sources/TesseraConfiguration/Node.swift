internal import Foundation

/// A value of a configuration as it stands in the file.
struct Node: Sendable {
  enum Content: Sendable {
    /// Text; what is not in quotes may be a number or a boolean.
    case scalar(String, isQuoted: Bool)
    case list([Node])
    case mapping([Member])
  }

  struct Member: Sendable {
    var key: String
    var position: ConfigurationError.Position
    var value: Node
  }

  /// What a scalar is.
  enum Scalar {
    case null
    case boolean(Bool)
    case integer(String)
    case number(Double)
    case text(String)
  }

  var content: Content
  var position: ConfigurationError.Position

  /// What the scalar is by the core schema of YAML 1.2, or `nil` if it is none.
  var scalar: Scalar? {
    guard case .scalar(let text, let isQuoted) = content else { return nil }
    if isQuoted { return .text(text) }
    switch text {
    case "", "~", "null", "Null", "NULL": return .null
    case "true", "True", "TRUE": return .boolean(true)
    case "false", "False", "FALSE": return .boolean(false)
    case ".nan", ".NaN", ".NAN": return .number(.nan)
    default: break
    }
    let digits = text.drop { "+-".contains($0) }
    guard text.utf8.count - digits.utf8.count <= 1, let first = digits.utf8.first else {
      return .text(text)
    }
    let sign = text.hasPrefix("-") ? "-" : ""
    if [".inf", ".Inf", ".INF"].contains(digits) {
      return .number(sign.isEmpty ? .infinity : -.infinity)
    }
    if digits.utf8.allSatisfy(Self.isDigit) { return .integer(sign + digits) }
    for (prefix, radix) in [("0x", 16), ("0o", 8)] where digits.hasPrefix(prefix) {
      // With a sign of its own it would not be YAML's.
      let number =
        digits.dropFirst(2).first == "+" ? nil : UInt64(digits.dropFirst(2), radix: radix)
      return number.map { .integer("\(sign)\($0)") } ?? .text(text)
    }
    // Swift reads more as numbers than YAML does: `0x1p3`, `infinity`.
    if Self.isDigit(first) || first == UInt8(ascii: "."),
      digits.utf8.allSatisfy({ Self.isDigit($0) || ".eE+-".utf8.contains($0) }),
      let number = Double(text)
    {
      return .number(number)
    }
    return .text(text)
  }

  /// How deep lists and mappings lie in each other, from 1 for a scalar.
  var depth: Int {
    switch content {
    case .scalar: 1
    case .list(let elements): 1 + (elements.map(\.depth).max() ?? 0)
    case .mapping(let members): 1 + (members.map(\.value.depth).max() ?? 0)
    }
  }

  /// What the value is called in messages.
  var typeName: String {
    switch content {
    case .list: "a list"
    case .mapping: "a mapping"
    case .scalar:
      switch scalar {
      case .boolean: "a boolean"
      case .integer: "an integer"
      case .number: "a number"
      case .text: "text"
      case .null, nil: "empty"
      }
    }
  }

  private static func isDigit(_ byte: UInt8) -> Bool {
    UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte
  }
}

extension Node: Encodable {
  private struct Key: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  func encode(to encoder: any Encoder) throws {
    switch content {
    case .list(let elements):
      var container = encoder.unkeyedContainer()
      for element in elements { try container.encode(element) }
    case .mapping(let members):
      var container = encoder.container(keyedBy: Key.self)
      for member in members {
        try container.encode(member.value, forKey: Key(stringValue: member.key))
      }
    case .scalar:
      var container = encoder.singleValueContainer()
      switch scalar {
      case .boolean(let value): try container.encode(value)
      case .integer(let digits):
        if let number = Int64(digits) {
          try container.encode(number)
        } else if let number = UInt64(digits) {
          try container.encode(number)
        } else {
          try container.encode(digits)
        }
      case .number(let value): try container.encode(value)
      case .text(let value): try container.encode(value)
      case .null, nil: try container.encodeNil()
      }
    }
  }
}
