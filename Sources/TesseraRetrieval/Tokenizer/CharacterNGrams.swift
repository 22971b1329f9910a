/// A text as the set of its words and of the n-grams of their characters, each under a number that it is hashed to (Bojanowski et al.,
/// 2017).
///
/// It needs no vocabulary, and so has none that is too small for a script or a language.
///
///     let grams = CharacterNGrams(buckets: 32_768)
///     grams.tokens(of: "cat")  // those of ‹cat›, ‹c, ca, at, t›, ‹ca, cat, at›, …
public struct CharacterNGrams: Tokenizer, Hashable {
  /// How many numbers n-grams are hashed to.
  public let buckets: Int
  /// How many characters an n-gram has, those that mark a word's beginning and end included.
  public let lengths: ClosedRange<Int>
  /// What is done to a text before.
  public let cleaning: TextCleaning

  /// N-grams of the given lengths.
  ///
  /// - Parameters:
  ///   - buckets: How many numbers there are, 1 or more.
  ///   - lengths: How many characters an n-gram has.
  ///   - cleaning: What is done to a text before. Accents stay, as they tell words apart; ideographs stand in their words.
  public init(
    buckets: Int = 32_768,
    lengths: ClosedRange<Int> = 2...4,
    cleaning: TextCleaning = TextCleaning(stripsAccents: false, splitsIdeographs: false)
  ) {
    self.buckets = max(1, buckets)
    self.lengths = lengths
    self.cleaning = cleaning
  }

  /// One for each bucket, and number 0 for what is none.
  public var count: Int { buckets + 1 }
  /// Number 0.
  public var padding: Int { 0 }

  /// The numbers of the words and n-grams, in the order of the text; of a text without any, that of none.
  public func tokens(of text: String, atMost limit: Int) -> [Int] {
    var tokens: [Int] = []
    for word in cleaning.words(of: text) {
      let marked = [Self.beginning] + Array(word.unicodeScalars) + [Self.end]
      tokens.append(number(marked[...], salt: 1))
      for length in lengths where length <= marked.count {
        for start in 0...marked.count - length {
          tokens.append(number(marked[start..<start + length], salt: 0))
        }
      }
      if tokens.count >= limit { break }
    }
    return tokens.isEmpty ? [padding] : Array(tokens.prefix(max(1, limit)))
  }

  /// Characters that no text has after cleaning.
  private static let beginning = Unicode.Scalar(2 as UInt8)
  private static let end = Unicode.Scalar(3 as UInt8)

  /// FNV-1a over the characters' code points, spread once more: neighbours in the low bits would share buckets.
  private func number(_ characters: ArraySlice<Unicode.Scalar>, salt: UInt64) -> Int {
    var digest: UInt64 = 0xcbf2_9ce4_8422_2325 ^ salt
    for character in characters {
      digest = (digest ^ UInt64(character.value)) &* 0x100_0000_01b3
    }
    digest ^= digest >> 32
    digest = digest &* 0x9e37_79b9_7f4a_7c15
    return 1 + Int((digest >> 16) % UInt64(buckets))
  }
}
