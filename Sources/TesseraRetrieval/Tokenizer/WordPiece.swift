public import SystemPackage

/// WordPiece: a word is put together from the longest tokens that fit, from left to right; those within a word begin with `##`
/// (Wu et al., 2016; Devlin et al., 2019).
///
///     let tokenizer = try WordPiece(contentsOf: "vocab.txt")
///     tokenizer.pieces(of: "a samovar")  // a sam ##ovar
public struct WordPiece: SubwordTokenizer {
  /// The tokens that it knows.
  public let vocabulary: Vocabulary
  /// What is done to a text before.
  public let cleaning: TextCleaning
  /// The tokens that begin a word, and those that go on with one, by their bytes.
  private let beginnings: [ArraySlice<UInt8>: Int]
  private let continuations: [ArraySlice<UInt8>: Int]
  private let longest: Int

  /// A word of more characters than this is unknown.
  public static let longestWord = 100

  /// A tokenizer with a vocabulary.
  public init(_ vocabulary: Vocabulary, cleaning: TextCleaning = TextCleaning()) {
    self.vocabulary = vocabulary
    self.cleaning = cleaning
    var beginnings: [ArraySlice<UInt8>: Int] = [:]
    var continuations: [ArraySlice<UInt8>: Int] = [:]
    var longest = 0
    for (number, token) in vocabulary.tokens.enumerated() {
      let bytes = Array(token.utf8)
      if bytes.starts(with: "##".utf8), bytes.count > 2 { continuations[bytes[2...]] = number }
      beginnings[bytes[...]] = number
      longest = max(longest, bytes.count)
    }
    self.beginnings = beginnings
    self.continuations = continuations
    self.longest = longest
  }

  /// A tokenizer with the vocabulary of a `vocab.txt`.
  ///
  /// - Throws: As ``Vocabulary/init(contentsOf:)``.
  public init(contentsOf path: FilePath, cleaning: TextCleaning = TextCleaning()) throws {
    self.init(try Vocabulary(contentsOf: path), cleaning: cleaning)
  }

  /// How many tokens the vocabulary has.
  public var count: Int { vocabulary.count }
  /// `[PAD]`.
  public var padding: Int { vocabulary.padding }
  /// `[CLS]`.
  public var start: Int { vocabulary.start }
  /// `[SEP]`.
  public var end: Int { vocabulary.end }

  /// The tokens of all words; one of which no pieces fit is unknown.
  public func pieces(of text: String) -> [Int] {
    cleaning.words(of: text).flatMap(pieces(ofWord:))
  }

  private func pieces(ofWord word: String) -> [Int] {
    let bytes = Array(word.utf8)
    guard bytes.count <= Self.longestWord || word.unicodeScalars.count <= Self.longestWord else {
      return [vocabulary.unknown]
    }
    var pieces: [Int] = []
    var start = 0
    while start < bytes.count {
      let known = start == 0 ? beginnings : continuations
      var end = min(bytes.count, start + longest)
      var piece: Int?
      while end > start {
        // Pieces end where characters do.
        if end == bytes.count || bytes[end] & 0xC0 != 0x80 {
          piece = known[bytes[start..<end]]
          if piece != nil { break }
        }
        end -= 1
      }
      guard let piece else { return [vocabulary.unknown] }
      pieces.append(piece)
      start = end
    }
    return pieces
  }
}
