extension VectorFilter {
  /// Reads a filter in words, as `language = "hi" and (size > 100 or not has size)`.
  ///
  /// - Throws: ``RetrievalError`` with code ``RetrievalError/Code/invalidArgument``, which shows the place that cannot be understood.
  public init(_ text: String) throws {
    var parser = Parser(text: text, tokens: try FilterToken.tokens(of: text))
    self = try parser.filter()
  }
}

/// Reads `or` of `and` of `not`, by recursive descent.
private struct Parser {
  let text: String
  let tokens: [FilterToken]
  var position = 0
  var depth = 0

  /// How deep parentheses and negations go, so that no text exhausts the stack.
  private static let deepest = 100

  mutating func filter() throws -> VectorFilter {
    let filter = try alternatives()
    guard token.kind == .end else { throw expected("'and', 'or' or the end") }
    return filter
  }

  private var token: FilterToken { tokens[position] }

  private mutating func alternatives() throws -> VectorFilter {
    try list(of: "or", VectorFilter.any) { try $0.conjunction() }
  }

  private mutating func conjunction() throws -> VectorFilter {
    try list(of: "and", VectorFilter.all) { try $0.condition() }
  }

  private mutating func list(
    of word: String,
    _ joined: ([VectorFilter]) -> VectorFilter,
    _ part: (inout Self) throws -> VectorFilter
  ) throws -> VectorFilter {
    var parts = [try part(&self)]
    while takes(word: word) { parts.append(try part(&self)) }
    return parts.count == 1 ? parts[0] : joined(parts)
  }

  private mutating func condition() throws -> VectorFilter {
    depth += 1
    defer { depth -= 1 }
    guard depth <= Self.deepest else {
      throw FilterToken.failure("this is nested too deeply", at: token.offset, in: text)
    }
    if takes(word: "not") { return .not(try condition()) }
    if takes(word: "has") { return .has(try name()) }
    if takes(sign: "(") {
      let inner = try alternatives()
      guard takes(sign: ")") else { throw expected("')'") }
      return inner
    }
    if case .value(.boolean(let flag)) = token.kind {
      position += 1
      return flag ? .all([]) : .any([])
    }
    return try comparison()
  }

  private mutating func comparison() throws -> VectorFilter {
    let name = try name()
    if takes(sign: "=") { return .equals(name, try value()) }
    if takes(sign: "!=") { return .not(.equals(name, try value())) }
    for comparison in VectorFilter.Comparison.allCases where takes(sign: comparison.rawValue) {
      let place = token.offset
      let value = try value()
      if case .boolean = value {
        throw FilterToken.failure("numbers and texts have an order", at: place, in: text)
      }
      return .compares(name, comparison, value)
    }
    if takes(word: "prefix") { return .hasPrefix(name, try textValue()) }
    if takes(word: "glob") { return .matches(name, PathGlob(try textValue())) }
    if takes(word: "in") { return try membership(name) }
    throw expected("'=', '!=', '<', '<=', '>', '>=', 'in', 'prefix' or 'glob'")
  }

  private mutating func membership(_ name: String) throws -> VectorFilter {
    if takes(sign: "(") {
      var values = [try value()]
      while takes(sign: ",") { values.append(try value()) }
      guard takes(sign: ")") else { throw expected("',' or ')'") }
      return .isIn(name, values)
    }
    let place = token.offset
    let lower = try number()
    guard takes(sign: "..") else { throw expected("'..'") }
    let upper = try number()
    guard lower <= upper else {
      throw FilterToken.failure("this range goes downwards", at: place, in: text)
    }
    return .isIn(name, lower...upper)
  }

  private mutating func name() throws -> String {
    switch token.kind {
    case .name(let name) where !FilterToken.words.contains(name.lowercased()):
      position += 1
      return name
    case .quotedName(let name):
      position += 1
      return name
    default: throw expected("a name")
    }
  }

  private mutating func value() throws -> MetadataValue {
    guard case .value(let value) = token.kind else {
      throw expected("a text in quotes, a number, true or false")
    }
    position += 1
    return value
  }

  private mutating func textValue() throws -> String {
    guard case .value(.text(let text)) = token.kind else { throw expected("a text in quotes") }
    position += 1
    return text
  }

  private mutating func number() throws -> Double {
    guard case .value(.number(let number)) = token.kind else {
      throw expected("a number, or a list in parentheses")
    }
    position += 1
    return number
  }

  private mutating func takes(word: String) -> Bool {
    guard case .name(let name) = token.kind, name.lowercased() == word else { return false }
    position += 1
    return true
  }

  private mutating func takes(sign: String) -> Bool {
    guard token.kind == .sign(sign) else { return false }
    position += 1
    return true
  }

  private func expected(_ what: String) -> RetrievalError {
    FilterToken.failure("\(what) is expected", at: token.offset, in: text)
  }
}
