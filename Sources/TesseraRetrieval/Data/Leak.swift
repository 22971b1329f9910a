/// What makes an evaluation on a data set worth less: something of the tests can be learned by heart.
public enum Leak: Sendable, Hashable, CustomStringConvertible {
  /// A picture to test on is by an artist whose pictures are trained on.
  case artist(picture: Int)
  /// A pair of an under-resourced language names a concept that is held out.
  case concept(pair: Int)
  /// A pair holds a text that is an under-resourced name of a concept that is held out.
  case caption(pair: Int)

  /// What leaks where, counted from 1 as lines are.
  public var description: String {
    switch self {
    case .artist(let picture):
      "picture \(picture + 1) is to test on, and pictures of its artist are trained on"
    case .concept(let pair):
      "pair \(pair + 1) names a held-out concept in an under-resourced language"
    case .caption(let pair):
      "pair \(pair + 1) holds an under-resourced name of a held-out concept"
    }
  }
}

/// The under-resourced names and sentences of concepts that are held out, which no translation may hold.
///
/// Keywords are shared by many concepts: each flag has "flag" and no others.
///
/// Texts that differ in case alone, or are the same to Unicode, are one text, as they are to tokenizers.
struct HeldOutCaptions {
  private var texts: Set<String> = []

  init(_ captions: [Caption], concepts: [Concept], underResourced: Set<String>) {
    for caption in captions
    where caption.kind != .keywords && concepts[caption.concept].split != .train
      && underResourced.contains(caption.language)
    {
      texts.insert(Self.key(caption.text))
    }
  }

  /// Whether a side of the pair is one of them.
  func occur(in pair: TextPair) -> Bool {
    texts.contains(Self.key(pair.left)) || texts.contains(Self.key(pair.right))
  }

  private static func key(_ text: String) -> String { text.lowercased() }
}

extension RetrievalDataset {
  /// The first leak from the tests into what is learned; `nil` if there is none.
  ///
  /// Under-resourced names of concepts that are held out (split ``DatasetSplit/dev`` or ``DatasetSplit/test``) must be new to a model:
  /// neither with their concept nor as the translation of something else may they be among the pairs. Pictures to test on must be by
  /// artists whose style is new.
  public func firstLeak() -> Leak? {
    let trained = Set(pictures.lazy.filter { $0.split == .train }.map(\.artist))
    if let picture = pictures.firstIndex(where: {
      $0.split != .train && trained.contains($0.artist)
    }) {
      return .artist(picture: picture)
    }
    let underResourced = Set(description.languages.underResourced)
    let heldOut = HeldOutCaptions(captions, concepts: concepts, underResourced: underResourced)
    for (number, pair) in pairs.enumerated() {
      if let concept = pair.concept, concepts[concept].split != .train,
        underResourced.contains(pair.language)
      {
        return .concept(pair: number)
      }
      if heldOut.occur(in: pair) { return .caption(pair: number) }
    }
    return nil
  }
}
