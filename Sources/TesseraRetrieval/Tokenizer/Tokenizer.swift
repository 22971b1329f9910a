/// Turns texts into numbers of tokens.
public protocol Tokenizer: Sendable {
  /// How many tokens there are; their numbers begin with 0.
  var count: Int { get }
  /// What fills up the shorter texts of a batch.
  var padding: Int { get }

  /// The numbers of a text's tokens.
  ///
  /// - Parameters:
  ///   - text: Any text, also an empty one.
  ///   - limit: How many there may be: what comes after is cut off. At least 2.
  /// - Returns: The numbers, one at least.
  func tokens(of text: String, atMost limit: Int) -> [Int]
}

extension Tokenizer {
  /// The numbers of all of a text's tokens.
  public func tokens(of text: String) -> [Int] { tokens(of: text, atMost: .max) }

  /// The tokens of several texts.
  ///
  /// - Parameters:
  ///   - texts: One or more.
  ///   - limit: How many tokens of a text are used. Of one that is much longer, only ``longest(atMost:)`` characters are looked at.
  /// - Returns: Their tokens.
  public func batch(_ texts: [String], atMost limit: Int = .max) -> TokenBatch {
    let longest = Self.longest(atMost: limit)
    return TokenBatch(
      texts.map { text in
        // No character has less than a byte.
        guard text.utf8.count > longest else { return tokens(of: text, atMost: limit) }
        return tokens(of: String(text.unicodeScalars.prefix(longest)), atMost: limit)
      },
      padding: padding
    )
  }

  /// How many characters of a text are looked at for some number of tokens, so that a whole book takes no longer than a page: 128 for each,
  /// and no word that is known has as many.
  public static func longest(atMost limit: Int) -> Int {
    let (characters, isBeyond) = limit.multipliedReportingOverflow(by: 128)
    return isBeyond ? .max : max(1024, characters)
  }
}

/// Turns texts into parts of words, of which each stands for itself, between a token for the beginning and one for the end.
public protocol SubwordTokenizer: Tokenizer {
  /// What a text begins with.
  var start: Int { get }
  /// What a text ends with.
  var end: Int { get }

  /// The numbers of a text's tokens, without those at the beginning and the end.
  func pieces(of text: String) -> [Int]
}

extension SubwordTokenizer {
  /// The numbers of a text's tokens, with those at the beginning and the end.
  public func tokens(of text: String, atMost limit: Int) -> [Int] {
    let room = max(0, limit - 2)
    return [start] + pieces(of: text).prefix(room) + [end]
  }
}
