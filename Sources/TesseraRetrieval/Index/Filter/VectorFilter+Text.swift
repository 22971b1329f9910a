extension VectorFilter: CustomStringConvertible {
  /// The filter in words, which ``init(_:)`` reads.
  public var description: String { text(within: .lowest) }

  private enum Level: Int {
    case lowest, and, not
  }

  private func text(within level: Level) -> String {
    func enclosed(_ text: String, if isInner: Bool) -> String { isInner ? "(\(text))" : text }
    switch self {
    case .equals(let name, let value): return "\(Self.quoted(name: name)) = \(value.filterText)"
    case .isIn(let name, let values):
      let list = values.map(\.filterText).joined(separator: ", ")
      return "\(Self.quoted(name: name)) in (\(list))"
    case .compares(let name, let comparison, let value):
      return "\(Self.quoted(name: name)) \(comparison.rawValue) \(value.filterText)"
    case .hasPrefix(let name, let prefix):
      return "\(Self.quoted(name: name)) prefix \(MetadataValue.text(prefix).filterText)"
    case .matches(let name, let glob):
      return "\(Self.quoted(name: name)) glob \(MetadataValue.text(glob.pattern).filterText)"
    case .has(let name): return "has \(Self.quoted(name: name))"
    case .all(let parts) where parts.isEmpty: return "true"
    case .any(let parts) where parts.isEmpty: return "false"
    case .all(let parts):
      let text = parts.map { $0.text(within: .and) }.joined(separator: " and ")
      return enclosed(text, if: level.rawValue >= Level.and.rawValue && parts.count > 1)
    case .any(let parts):
      let text = parts.map { $0.text(within: .and) }.joined(separator: " or ")
      return enclosed(text, if: level.rawValue >= Level.and.rawValue && parts.count > 1)
    case .not(let part): return "not \(part.text(within: .not))"
    }
  }

  private static func quoted(name: String) -> String {
    if FilterToken.isPlain(name: name) { return name }
    return "`\(name.map { $0 == "`" || $0 == "\\" ? "\\\($0)" : "\($0)" }.joined())`"
  }
}

extension MetadataValue {
  /// The value in a filter's words.
  fileprivate var filterText: String {
    switch self {
    case .text(let text):
      "\"\(text.map { $0 == "\"" || $0 == "\\" ? "\\\($0)" : "\($0)" }.joined())\""
    case .number(let number): "\(number)"
    case .boolean(let flag): "\(flag)"
    }
  }
}
