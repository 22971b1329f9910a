internal import SystemPackage
internal import TesseraCore

/// A file of the Common Locale Data Repository, in the Locale Data Markup Language (Unicode Technical Standard 35).
enum LDMLFile {
  /// What a character, or a sequence of some, is called.
  struct Annotation: Hashable {
    /// The short name.
    var name: String?
    /// Words that belong to it, joined by ` | `.
    var keywords: String?
  }

  /// What stands for "as in the parent locale".
  private static let inherited = "↑↑↑"

  /// The annotations of a file of `annotations/` or `annotationsDerived/`, by their characters.
  ///
  /// - Throws: ``RetrievalError``, naming the file and the line, if it cannot be read or is not XML.
  static func annotations(in path: FilePath) throws -> [String: Annotation] {
    var annotations: [String: Annotation] = [:]
    try read(path, textOf: { $0.last?.name == "annotation" }) { elements, text in
      guard let element = elements.last, let characters = element.attributes["cp"] else { return }
      switch element.attributes["type"] {
      case "tts": annotations[characters, default: Annotation()].name = text
      case nil: annotations[characters, default: Annotation()].keywords = text
      default: break
      }
    }
    return annotations
  }

  /// What a file of `main/` calls languages, territories, scripts, variants, currencies and units, by kind and code:
  /// `currency/EUR`.
  ///
  /// - Throws: ``RetrievalError``, naming the file and the line, if it cannot be read or is not XML.
  static func displayNames(in path: FilePath) throws -> [String: String] {
    var names: [String: String] = [:]
    try read(path, textOf: { key(of: $0) != nil }) { elements, text in
      guard let key = key(of: elements) else { return }
      names[key] = text
    }
    return names
  }

  private struct Element {
    var name: String
    var attributes: [String: String]
  }

  private static let displayed: Set = ["language", "territory", "script", "variant"]

  private static func key(of elements: [Element]) -> String? {
    guard let last = elements.last, last.attributes["alt"] == nil, elements.count > 3 else {
      return nil
    }
    if elements[1].name == "localeDisplayNames", displayed.contains(last.name) {
      return last.attributes["type"].map { "\(last.name)/\($0)" }
    }
    // The plural forms have a count.
    guard last.name == "displayName", last.attributes["count"] == nil else { return nil }
    let owner = elements[elements.count - 2]
    switch owner.name {
    case "currency": break
    case "unit" where elements[elements.count - 3].attributes["type"] == "long": break
    default: return nil
    }
    return owner.attributes["type"].map { "\(owner.name)/\($0)" }
  }

  private static func read(
    _ path: FilePath,
    textOf isWanted: ([Element]) -> Bool,
    _ body: ([Element], String) -> Void
  ) throws {
    let file = try JSONLines.open(path)
    do {
      try withExtendedLifetime(file) {
        var scanner = XMLScanner(file.bytes)
        var elements: [Element] = []
        var text: String?
        while let event = try scanner.next() {
          switch event {
          case .start(let name, let attributes):
            elements.append(Element(name: name, attributes: attributes))
            text = isWanted(elements) ? "" : nil
          case .text(let more):
            text?.append(more)
          case .end:
            if let whole = text?.trimmed, !whole.isEmpty, whole != inherited {
              body(elements, whole)
            }
            text = nil
            elements.removeLast()
          }
        }
      }
    } catch let error as XMLScanner.Malformed {
      throw JSONLines.malformed(path, error.line, error.reason)
    }
  }
}

extension StringProtocol {
  /// Without white space at both ends.
  var trimmed: String {
    var rest = self[...]
    while let first = rest.first, first.isWhitespace { rest.removeFirst() }
    while let last = rest.last, last.isWhitespace { rest.removeLast() }
    return String(rest)
  }
}
