/// A word of a filter, and where it begins.
struct FilterToken {
  enum Kind: Equatable {
    case name(String)
    /// A name in backquotes, which is never one of the language's words.
    case quotedName(String)
    case value(MetadataValue)
    case sign(String)
    case end
  }

  let kind: Kind
  /// The number of characters before it.
  let offset: Int

  /// The words that mean something by themselves.
  static let words: Set = ["and", "or", "not", "in", "prefix", "glob", "has", "true", "false"]

  static func isPlain(name: String) -> Bool {
    guard let first = name.first, first.isLetter || first == "_" else { return false }
    return name.allSatisfy(isPartOfName) && !words.contains(name.lowercased())
  }

  private static func isPartOfName(_ character: Character) -> Bool {
    character.isLetter || character.isNumber || "_-.".contains(character)
  }

  /// Takes a filter's text apart.
  ///
  /// - Throws: ``RetrievalError`` that shows the place, if a quote is not closed, or a character has no meaning.
  static func tokens(of text: String) throws -> [FilterToken] {
    let characters = Array(text)
    var tokens: [FilterToken] = []
    var index = 0
    while index < characters.count {
      let start = index
      let character = characters[index]
      func add(_ kind: Kind) { tokens.append(FilterToken(kind: kind, offset: start)) }
      func take(while condition: (Character) -> Bool) -> String {
        while index < characters.count, condition(characters[index]) { index += 1 }
        return String(characters[start..<index])
      }
      switch character {
      case _ where character.isWhitespace: index += 1
      case "\"", "'", "`":
        let content = try quoted(characters, from: &index, in: text)
        add(character == "`" ? .quotedName(content) : .value(.text(content)))
      case "(", ")", ",", "=":
        index += 1
        add(.sign(String(character)))
      case "<", ">", "!":
        index += 1
        let hasEqual = index < characters.count && characters[index] == "="
        if hasEqual { index += 1 }
        guard character != "!" || hasEqual else {
          throw failure("'!=' is meant?", at: start, in: text)
        }
        add(.sign(hasEqual ? "\(character)=" : "\(character)"))
      case "." where index + 1 < characters.count && characters[index + 1] == ".":
        index += 2
        add(.sign(".."))
      case "0"..."9", "+", "-":
        try add(.value(.number(number(characters, from: &index, in: text))))
      case _ where character.isLetter || character == "_":
        let word = take(while: isPartOfName)
        switch word.lowercased() {
        case "true": add(.value(.boolean(true)))
        case "false": add(.value(.boolean(false)))
        default: add(.name(word))
        }
      default: throw failure("'\(character)' has no meaning here", at: start, in: text)
      }
    }
    tokens.append(FilterToken(kind: .end, offset: characters.count))
    return tokens
  }

  private static func quoted(
    _ characters: [Character],
    from index: inout Int,
    in text: String
  ) throws -> String {
    let start = index
    let quote = characters[index]
    var content = ""
    index += 1
    while index < characters.count, characters[index] != quote {
      if characters[index] == "\\", index + 1 < characters.count { index += 1 }
      content.append(characters[index])
      index += 1
    }
    guard index < characters.count else {
      throw failure("this quote is not closed", at: start, in: text)
    }
    index += 1
    return content
  }

  private static func number(
    _ characters: [Character],
    from index: inout Int,
    in text: String
  ) throws -> Double {
    let start = index
    index += 1
    while index < characters.count {
      let character = characters[index]
      let isRange = character == "." && index + 1 < characters.count && characters[index + 1] == "."
      let isSign = "+-".contains(character) && "eE".contains(characters[index - 1])
      guard !isRange, character.isLetter || character.isNumber || character == "." || isSign else {
        break
      }
      index += 1
    }
    guard let number = Double(String(characters[start..<index])), number.isFinite else {
      throw failure("this is no number", at: start, in: text)
    }
    return number
  }

  /// An error that shows the place in the filter's text.
  static func failure(_ reason: String, at offset: Int, in text: String) -> RetrievalError {
    // A tab or a line's end would move the mark away from the place.
    let line = String(text.map { $0.isNewline || $0 == "\t" ? " " : $0 })
    return RetrievalError(
      code: .invalidArgument,
      message: """
        the filter cannot be understood at character \(offset + 1): \(reason)
          \(line)
          \(String(repeating: " ", count: offset))^
        """
    )
  }
}
