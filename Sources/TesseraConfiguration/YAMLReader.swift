internal import SystemPackage
internal import Yams

/// Reads a file of YAML into a ``Node``, and refuses what makes YAML dangerous or ambiguous.
///
/// The parser would resolve aliases itself, and thereby let a few lines stand for more than any memory holds. So it does not
/// get to see them: their `*` becomes a character that starts a plain scalar, and which scalars are aliases is decided here.
struct YAMLReader {
  /// How large a file may be, in bytes.
  static let fileLimit = 1 << 20
  /// How many values there may be, counting what aliases stand for.
  static let nodeLimit = 100_000
  /// How many bytes of text.
  static let textLimit = 4 << 20
  /// How deep lists and mappings may lie in each other.
  static let depthLimit = 64

  private static let star: Unicode.Scalar = "\u{E000}"
  private static let coreTags: Set = [
    "", "tag:yaml.org,2002:str", "tag:yaml.org,2002:seq", "tag:yaml.org,2002:map",
    "tag:yaml.org,2002:bool", "tag:yaml.org,2002:int", "tag:yaml.org,2002:float",
    "tag:yaml.org,2002:null",
  ]

  private struct Anchored {
    var node: Node
    var size: Size
    var depth: Int
  }
  private struct Size {
    var nodes = 0
    var text = 0
  }

  private let file: FilePath
  private var anchors: [String: Anchored] = [:]
  private var size = Size()

  /// The value that `bytes` hold; an empty mapping if there is none.
  ///
  /// - Throws: ``ConfigurationError`` naming `file` and the place.
  static func read(_ bytes: [UInt8], from file: FilePath) throws -> Node {
    var reader = YAMLReader(file: file)
    return try reader.read(bytes)
  }

  private init(file: FilePath) {
    self.file = file
  }

  private mutating func read(_ bytes: [UInt8]) throws -> Node {
    let text = try textHidingAliases(bytes)
    do {
      let parser = try Parser(yaml: text, resolver: .basic, encoding: .utf8)
      // The parser owns the names of the anchors.
      defer { withExtendedLifetime(parser) {} }
      guard let root = try parser.singleRoot() else {
        return Node(content: .mapping([]), position: .init(line: 1, column: 1))
      }
      return try node(root, depth: 1)
    } catch let error as YamlError {
      throw problem(error, in: text)
    }
  }

  private func textHidingAliases(_ bytes: [UInt8]) throws -> String {
    guard bytes.count <= Self.fileLimit else {
      throw problem(.unreadable, nil, "is larger than a mebibyte")
    }
    let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    if let line = lines.firstIndex(where: { String(validating: $0, as: UTF8.self) == nil }) {
      throw problem(.unreadable, .init(line: line + 1, column: 1), "is not UTF-8")
    }
    var text = String.UnicodeScalarView()
    var position = ConfigurationError.Position(line: 1, column: 1)
    let scalars = String(decoding: bytes, as: UTF8.self).unicodeScalars
    for (index, scalar) in zip(scalars.indices, scalars) {
      switch scalar {
      case "\u{FEFF}" where text.isEmpty: continue  // the mark of UTF-8
      case "\t": throw problem(.notAllowed, position, "has a tab; use spaces, or '\\t' in quotes")
      case Self.star: throw problem(.notAllowed, position, "has the private character U+E000")
      case "*":
        let next = scalars.index(after: index)
        let startsAlias = next < scalars.endIndex && Self.isInNames(scalars[next])
        text.append(startsAlias ? Self.star : scalar)
      default: text.append(scalar)
      }
      position.column += 1
      if scalar == "\n" { position = .init(line: position.line + 1, column: 1) }
    }
    return String(text)
  }

  private mutating func node(_ yaml: Yams.Node, depth: Int) throws -> Node {
    let mark = yaml.mark
    let position = ConfigurationError.Position(line: mark?.line ?? 1, column: mark?.column ?? 1)
    guard depth <= Self.depthLimit else { throw tooDeep(position) }
    let before = size
    size.nodes += 1
    let tag: Tag
    let content: Node.Content
    switch yaml {
    case .scalar(let scalar):
      if scalar.style == .plain, scalar.string.unicodeScalars.first == Self.star {
        return try node(standingFor: scalar.string, at: position, depth: depth)
      }
      tag = scalar.tag
      size.text += scalar.string.utf8.count
      content = .scalar(
        Self.showingStars(scalar.string),
        isQuoted: scalar.style != .plain || tag.rawValue == Tag.Name.str.rawValue
      )
    case .sequence(let sequence):
      tag = sequence.tag
      content = .list(try sequence.map { try node($0, depth: depth + 1) })
    case .mapping(let mapping):
      tag = mapping.tag
      content = .mapping(try members(mapping, depth: depth))
    case .alias:
      throw problem(.notAllowed, position, "has an alias of an unknown kind")
    }
    guard Self.coreTags.contains(tag.rawValue) else {
      throw problem(
        .notAllowed,
        position,
        "has the tag \(tag.rawValue.shown), which is not allowed"
      )
    }
    try checkSize(position)
    let result = Node(content: content, position: position)
    if let anchor = yaml.anchor?.rawValue {
      let own = Size(nodes: size.nodes - before.nodes, text: size.text - before.text)
      anchors[anchor] = Anchored(node: result, size: own, depth: result.depth)
    }
    return result
  }

  private mutating func members(_ mapping: Yams.Node.Mapping, depth: Int) throws -> [Node.Member] {
    var keys: Set<String> = []
    return try mapping.map { key, value in
      let name = try node(key, depth: depth + 1)
      // What a key is tagged with tells nothing: the parser has given plain keys a tag while it compared them.
      let isPlain = key.scalar?.style == .plain
      guard case .scalar(let text, _) = name.content, !(isPlain && text.isEmpty) else {
        throw problem(.notAllowed, name.position, "has a key that is not a name")
      }
      guard !(isPlain && text == "<<") else {
        throw problem(.notAllowed, name.position, "has a merge key, '<<', which is not allowed")
      }
      guard keys.insert(text).inserted else { throw repeated(text, name.position) }
      size.text += text.utf8.count
      return Node.Member(
        key: text,
        position: name.position,
        value: try node(value, depth: depth + 1)
      )
    }
  }

  private mutating func node(
    standingFor alias: String,
    at position: ConfigurationError.Position,
    depth: Int
  ) throws -> Node {
    let name = alias.unicodeScalars.dropFirst()
    guard name.allSatisfy(Self.isInNames) else {
      throw problem(.malformed, position, "is not YAML: something follows an alias")
    }
    guard let anchored = anchors[String(name)] else {
      throw problem(.malformed, position, "has no anchor \(String(name).shown) before its alias")
    }
    guard depth + anchored.depth - 1 <= Self.depthLimit else { throw tooDeep(position) }
    size.nodes += anchored.size.nodes
    size.text += anchored.size.text
    try checkSize(position)
    return Node(content: anchored.node.content, position: position)
  }

  private func checkSize(_ position: ConfigurationError.Position) throws {
    guard size.nodes <= Self.nodeLimit, size.text <= Self.textLimit else {
      throw problem(
        .notAllowed,
        position,
        "holds more than \(Self.nodeLimit) values or \(Self.textLimit >> 20) MiB of text, with what aliases stand for"
      )
    }
  }

  private static func isInNames(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "a"..."z", "A"..."Z", "0"..."9", "-", "_": true
    default: false
    }
  }

  private static func showingStars(_ text: String) -> String {
    guard text.unicodeScalars.contains(star) else { return text }
    return String(String.UnicodeScalarView(text.unicodeScalars.map { $0 == star ? "*" : $0 }))
  }

  private func problem(
    _ code: ConfigurationError.Code,
    _ position: ConfigurationError.Position?,
    _ message: String
  ) -> ConfigurationError {
    ConfigurationError(problems: [
      .init(code: code, file: file, position: position, keyPath: "", message: message)
    ])
  }

  private func tooDeep(_ position: ConfigurationError.Position) -> ConfigurationError {
    problem(.notAllowed, position, "is nested more than \(Self.depthLimit) deep")
  }

  private func repeated(
    _ key: String,
    _ position: ConfigurationError.Position
  ) -> ConfigurationError {
    problem(.notAllowed, position, "has the key \(Self.showingStars(key).shown) twice")
  }

  /// The parser's error, without the text that it carries.
  private func problem(_ error: YamlError, in text: String) -> ConfigurationError {
    func place(_ mark: Mark) -> ConfigurationError.Position {
      .init(line: mark.line, column: mark.column)
    }
    switch error {
    case .scanner(let context, let what, let mark, _), .parser(let context, let what, let mark, _):
      if what.contains("nesting level") { return tooDeep(place(mark)) }
      let reason = [context?.text, what].compactMap { $0 }.joined(separator: ", ")
      return problem(.malformed, place(mark), "is not YAML: \(reason)")
    case .reader(let what, let offset, _, _):
      let before = offset.map { text.prefix($0).unicodeScalars }
      let position = before.map { scalars in
        ConfigurationError.Position(
          line: scalars.count { $0 == "\n" } + 1,
          column: (scalars.split(separator: "\n", omittingEmptySubsequences: false).last?.count ?? 0)
            + 1
        )
      }
      return problem(.malformed, position, "is not YAML: \(what)")
    case .composer(_, _, let mark, _):
      return problem(.notAllowed, place(mark), "holds more than one document")
    case .duplicatedKeysInMapping(let keys, let context):
      return repeated(keys.first ?? "", place(context.mark))
    default:
      return problem(.malformed, nil, "is not YAML")
    }
  }
}
