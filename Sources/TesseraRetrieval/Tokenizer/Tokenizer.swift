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
  ///   - limit: How many tokens of a text are used.
  /// - Returns: Their tokens.
  public func batch(_ texts: [String], atMost limit: Int = .max) -> TokenBatch {
    TokenBatch(texts.map { tokens(of: $0, atMost: limit) }, padding: padding)
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
