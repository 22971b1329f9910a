public import Foundation
public import Logging

/// A message of a program's log, as it is written: what it may not hold is gone.
///
/// Keys that name secrets have no values, private keys that got into a text are cut out, long texts and lists end early, and no
/// character ends a line or moves a terminal's cursor, whoever worded the message.
public struct LogLine: Sendable, Hashable {
  /// When.
  public var time: Date
  /// How much it matters.
  public var level: Logger.Level
  /// Which part of the program says it.
  public var label: String
  /// The job that it is about.
  public var job: String?
  /// The site that it is about.
  public var site: String?
  /// What is said.
  public var message: String
  /// What else belongs to it, in the order of the keys.
  public var details: [Detail]

  /// A key with its value.
  public struct Detail: Sendable, Hashable {
    /// What it is.
    public var key: String
    /// How much.
    public var value: String
  }

  /// How lines are written.
  public enum Format: String, Sendable, Hashable, CaseIterable {
    /// For people.
    case text
    /// A JSON object in each line, for programs.
    case json
  }

  /// How many characters of a text are kept.
  static let longestText = 8192
  /// How many elements of a list are kept.
  static let longestList = 16

  /// What keys of metadata are called whose values are nobody's business.
  private static let secrets: Set<String> = [
    "api_key", "apikey", "authorization", "passphrase", "password", "private_key", "privatekey",
    "secret",
    "token",
  ]

  init(_ event: LogEvent, label: String, metadata: Logger.Metadata, at time: Date) {
    self.time = time
    level = event.level
    self.label = Self.shortened(label)
    message = Self.shortened(event.message.description)
    var details: [Detail] = []
    for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
      let text =
        Self.secrets.contains(key.lowercased())
        ? "(not shown)" : Self.shortened(Self.text(of: value, depth: 0))
      switch key {
      case "job": job = text
      case "site": site = text
      default: details.append(Detail(key: Self.shortened(key), value: text))
      }
    }
    if let error = event.error {
      details.append(Detail(key: "error", value: Self.shortened("\(error)")))
    }
    self.details = details
  }

  /// A line that the log itself says.
  init(_ message: String, level: Logger.Level, label: String, at time: Date) {
    self.time = time
    self.level = level
    self.label = label
    self.message = message
    details = []
  }

  private static func text(of value: Logger.MetadataValue, depth: Int) -> String {
    guard depth < 4 else { return "…" }
    switch value {
    case .string(let text): return text
    case .stringConvertible(let value): return value.description
    case .array(let values):
      let shown = values.prefix(longestList).map { text(of: $0, depth: depth + 1) }
      let rest = values.count > longestList ? ["… \(values.count - longestList) more"] : []
      return "[" + (shown + rest).joined(separator: ", ") + "]"
    case .dictionary(let values):
      let shown = values.sorted { $0.key < $1.key }.prefix(longestList).map { key, value in
        let isSecret = secrets.contains(key.lowercased())
        return "\(key): \(isSecret ? "(not shown)" : text(of: value, depth: depth + 1))"
      }
      let rest = values.count > longestList ? ["… \(values.count - longestList) more"] : []
      return "{" + (shown + rest).joined(separator: ", ") + "}"
    }
  }

  /// Without private keys, and not too long.
  private static func shortened(_ text: String) -> String {
    var text = withoutKeys(text)
    if text.utf8.count > longestText {
      let rest = text.unicodeScalars.dropFirst(longestText).count
      if rest > 0 {
        text = String(text.unicodeScalars.prefix(longestText)) + "… (\(rest) characters more)"
      }
    }
    return text
  }

  private static func withoutKeys(_ text: String) -> String {
    var text = text
    var start = text.startIndex
    while let mark = text.range(of: "-----BEGIN ", range: start..<text.endIndex) {
      guard text[mark.upperBound...].prefix(32).contains("PRIVATE KEY") else {
        start = mark.upperBound
        continue
      }
      let before = text[..<mark.lowerBound]
      let end = text.range(of: "-----END ", range: mark.upperBound..<text.endIndex).flatMap {
        text.range(of: "-----", range: $0.upperBound..<text.endIndex)
      }
      text = "\(before)(a private key)\(end.map { text[$0.upperBound...] } ?? "")"
      start = text.startIndex
    }
    return text
  }
}
