internal import Foundation
internal import Logging

extension LogLine {
  /// The line, without its end.
  ///
  /// - Parameters:
  ///   - format: How it is written.
  ///   - isColoured: Whether a text has a terminal's colours.
  /// - Returns: The line.
  public func written(as format: Format, isColoured: Bool = false) -> String {
    switch format {
    case .text: text(isColoured: isColoured)
    case .json: json
    }
  }

  private var stamp: String {
    time.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
  }

  private func text(isColoured: Bool) -> String {
    func coloured(_ text: String, _ code: String?) -> String {
      guard isColoured, let code else { return text }
      return "\u{1B}[\(code)m\(text)\u{1B}[0m"
    }
    let name = level.rawValue.padding(toLength: 8, withPad: " ", startingAt: 0)
    var parts = [coloured(stamp, "2"), coloured(name, level.colour)]
    if let job { parts.append("job=\(Self.quoted(job))") }
    if let site { parts.append("site=\(Self.quoted(site))") }
    parts.append(Self.escaped(message))
    for detail in details {
      parts.append(
        coloured("\(Self.escaped(detail.key))=", "2") + Self.quoted(detail.value)
      )
    }
    if !label.isEmpty { parts.append(coloured("(\(Self.escaped(label)))", "2")) }
    return parts.joined(separator: " ")
  }

  private var json: String {
    var members = [
      ("time", stamp), ("level", level.rawValue), ("label", label), ("message", message),
    ]
    if let job { members.append(("job", job)) }
    if let site { members.append(("site", site)) }
    let taken = Set(members.map(\.0) + ["job", "site"])
    for detail in details {
      // What a message calls `time` is not when it was said.
      members.append((taken.contains(detail.key) ? "\(detail.key)_" : detail.key, detail.value))
    }
    return "{"
      + members.map { "\"\(Self.escaped($0, in: .json))\":\"\(Self.escaped($1, in: .json))\"" }
      .joined(separator: ",") + "}"
  }

  /// A value that stands behind `key=`: in quotes if it could be taken for more than one.
  private static func quoted(_ text: String) -> String {
    let isPlain =
      !text.isEmpty
      && text.unicodeScalars.allSatisfy { $0 != " " && $0 != "\"" && $0 != "=" }
    return isPlain ? escaped(text) : "\"\(escaped(text, in: .json))\""
  }

  /// A text in which nothing ends the line, moves the cursor or turns the direction of writing.
  static func escaped(_ text: String, in format: Format = .text) -> String {
    guard text.unicodeScalars.contains(where: { isUnsafe($0) || $0 == "\"" || $0 == "\\" }) else {
      return text
    }
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case "\"", "\\":
        if format == .json { result += "\\" }
        result.unicodeScalars.append(scalar)
      case _ where isUnsafe(scalar):
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  /// Control characters, ends of lines and paragraphs, and marks that turn the direction of what follows.
  private static func isUnsafe(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0...0x1F, 0x7F...0x9F, 0x2028...0x202E, 0x2066...0x2069, 0x200E, 0x200F, 0x061C: true
    default: false
    }
  }
}

extension Logger.Level {
  /// The terminal's colour of a level.
  fileprivate var colour: String? {
    switch self {
    case .trace, .debug: "2"
    case .info: nil
    case .notice: "36"
    case .warning: "33"
    case .error, .critical: "1;31"
    }
  }
}
