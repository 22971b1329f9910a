internal import Foundation

/// What makes an evaluation on a data set worth less: something of the tests can be learned by heart.
public enum Leak: Sendable, Hashable, CustomStringConvertible {
  /// A picture to test on is by an artist whose pictures are trained on.
  case artist(picture: Int)
  /// A pair of an under-resourced language names a concept that is held out.
  case concept(pair: Int)
  /// A side of a pair is an under-resourced name of a concept that is held out.
  case caption(pair: Int)
  /// One of the keywords in a pair is an under-resourced name of a concept that is held out.
  case keyword(pair: Int)

  /// What leaks where, counted from 1 as lines are.
  public var description: String {
    switch self {
    case .artist(let picture):
      "picture \(picture + 1) is to test on, and pictures of its artist are trained on"
    case .concept(let pair):
      "pair \(pair + 1) names a held-out concept in an under-resourced language"
    case .caption(let pair):
      "pair \(pair + 1) holds an under-resourced name of a held-out concept"
    case .keyword(let pair):
      "pair \(pair + 1) has an under-resourced name of a held-out concept among its keywords"
    }
  }
}

/// A text as far as tokenizers can tell it from others: cleaned, in Unicode's form NFKC, without case, without punctuation, and without
/// characters that only format.
///
/// `Csillag.` is `csillag`, and a soft hyphen, a zero-width joiner or another kind of space makes no other text. Accents do.
enum LeakKey {
  private static let cleaning = TextCleaning(
    lowercases: false,
    stripsAccents: false,
    splitsIdeographs: false
  )

  /// The key; two texts that share it are one.
  static func of(_ text: String) -> String {
    let words = cleaning.words(of: folded(text))
    // Of a text that is nothing but punctuation, that is what can be told.
    let spoken = words.filter { !isPunctuation($0) }
    return (spoken.isEmpty ? words : spoken).joined(separator: " ")
  }

  /// Case folding is small letters of capital ones, but for a few letters (The Unicode Standard, section 5.18).
  private static func folded(_ text: String) -> String {
    // ASCII is in all of Unicode's forms.
    if text.utf8.allSatisfy({ $0 < 0x80 }) { return text.lowercased() }
    let folded = text.precomposedStringWithCompatibilityMapping.uppercased().lowercased()
    return folded.precomposedStringWithCompatibilityMapping
  }

  private static func isPunctuation(_ word: String) -> Bool {
    word.unicodeScalars.allSatisfy(TextCleaning.isPunctuation)
  }
}

/// The under-resourced names and sentences of concepts that are held out, which no translation may hold: neither as the whole of a side,
/// nor as one of several keywords.
struct HeldOutCaptions {
  /// How keywords are divided.
  private static let divider = " | "
  private var keys: Set<String> = []

  init(_ captions: [Caption], concepts: [Concept], underResourced: Set<String>) {
    for caption in captions
    where caption.kind != .keywords && concepts[caption.concept].split != .train
      && underResourced.contains(caption.language)
    {
      keys.insert(LeakKey.of(caption.text))
    }
  }

  /// Whether a side of the pair is one of them.
  func occur(in pair: TextPair) -> Bool { isOne(pair.left) || isOne(pair.right) }

  /// Whether one of the pair's keywords is one of them.
  func occurAmongKeywords(of pair: TextPair) -> Bool {
    [pair.left, pair.right].contains { side in Self.keywords(of: side).contains(where: isOne) }
  }

  /// The pair without the keywords that are one of them.
  ///
  /// - Returns: The pair, and how many keywords it has lost; `nil` if nothing is left of a side, or all of a side is one of them.
  func removed(from pair: TextPair) -> (pair: TextPair, keywords: Int)? {
    var (pair, count) = (pair, 0)
    func cleared(_ side: String) -> String {
      let keywords = Self.keywords(of: side)
      guard keywords.contains(where: isOne) else { return side }
      let kept = keywords.filter { !isOne($0) }
      count += keywords.count - kept.count
      return kept.joined(separator: Self.divider)
    }
    (pair.left, pair.right) = (cleared(pair.left), cleared(pair.right))
    guard !pair.left.isEmpty, !pair.right.isEmpty, !occur(in: pair) else { return nil }
    return (pair, count)
  }

  private func isOne(_ text: String) -> Bool { keys.contains(LeakKey.of(text)) }

  /// The keywords of a text; none of one that is no list.
  private static func keywords(of text: String) -> [String] {
    guard text.utf8.contains(UInt8(ascii: "|")) else { return [] }
    return text.split(separator: "|").map(\.trimmed).filter { !$0.isEmpty }
  }
}

extension RetrievalDataset {
  /// The first leak from the tests into what is learned; `nil` if there is none.
  ///
  /// Under-resourced names of concepts that are held out (split ``DatasetSplit/dev`` or ``DatasetSplit/test``) must be new to a model:
  /// neither with their concept, nor as the translation of something else, nor as one of its keywords may they be among the pairs,
  /// whatever their case, punctuation and invisible characters. They may be words of a sentence. Pictures to test on must be by artists
  /// whose style is new.
  public func firstLeak() -> Leak? {
    var first: Leak?
    findLeaks { leak in
      first = leak
      return false
    }
    return first
  }

  /// All leaks from the tests into what is learned, pictures' first, in the order of the data set.
  public func leaks() -> [Leak] {
    var leaks: [Leak] = []
    findLeaks { leak in
      leaks.append(leak)
      return true
    }
    return leaks
  }

  /// Tells of each leak until it is told that this is enough.
  private func findLeaks(_ goesOn: (Leak) -> Bool) {
    let trained = Set(pictures.lazy.filter { $0.split == .train }.map(\.artist))
    for (number, picture) in pictures.enumerated()
    where picture.split != .train && trained.contains(picture.artist) {
      guard goesOn(.artist(picture: number)) else { return }
    }
    let underResourced = Set(description.languages.underResourced)
    let heldOut = HeldOutCaptions(captions, concepts: concepts, underResourced: underResourced)
    for (number, pair) in pairs.enumerated() {
      let leak: Leak? =
        if let concept = pair.concept, concepts[concept].split != .train,
          underResourced.contains(pair.language)
        {
          .concept(pair: number)
        } else if heldOut.occur(in: pair) {
          .caption(pair: number)
        } else if heldOut.occurAmongKeywords(of: pair) {
          .keyword(pair: number)
        } else {
          nil
        }
      if let leak, !goesOn(leak) { return }
    }
  }
}
