public import TesseraCore

/// How well texts of one language find those of another that say the same: without a picture.
public struct TranslationScore: Sendable, Hashable, Codable {
  /// How many texts of the language look for one of the other.
  public var texts: Int
  /// How often the nearest text is one that says the same, in `0...1`: what Tatoeba's tests call accuracy.
  ///
  /// Texts that are as near, but say something else, stand before it.
  public var precisionAtOne: Double
  /// The same from the other language.
  public var reversePrecisionAtOne: Double
  /// How well pairs are found by the margin score, at its best threshold (Artetxe and Schwenk, 2019; BUCC's measure), in `0...1`.
  public var mining: F1

  /// Of the pairs that were found, and of those that there are.
  public struct F1: Sendable, Hashable, Codable {
    /// The share of pairs found that are translations.
    public var precision: Double
    /// The share of translations that are found.
    public var recall: Double
    /// The harmonic mean of both.
    public var f1: Double
    /// The least score of a pair.
    public var threshold: Double?
  }

  /// The score of texts of two languages.
  ///
  /// - Parameters:
  ///   - texts: `[texts, dimension]`, rows of length 1.
  ///   - subjects: What each says.
  ///   - others: `[others, dimension]`, rows of length 1.
  ///   - otherSubjects: What each of the others says.
  /// - Throws: ``RetrievalError`` with code ``RetrievalError/Code/invalidArgument`` if the numbers do not fit together.
  public init(
    texts: Tensor,
    subjects: [Set<Int>],
    others: Tensor,
    otherSubjects: [Set<Int>]
  ) throws {
    func places(_ subjects: [Set<Int>]) -> [Int: [Int]] {
      var places: [Int: [Int]] = [:]
      for (place, own) in subjects.enumerated() {
        for subject in own { places[subject, default: []].append(place) }
      }
      return places
    }
    func relevant(_ subjects: [Set<Int>], _ places: [Int: [Int]]) -> [[Int]] {
      subjects.map { own in Array(Set(own.flatMap { places[$0] ?? [] })) }
    }
    func precision(_ rankings: [Ranking]) -> Double {
      let asked = rankings.filter { !$0.places.isEmpty }
      return asked.isEmpty
        ? 0 : Double(asked.count { $0.isHit(within: 1) }) / Double(asked.count)
    }
    let answers = relevant(subjects, places(otherSubjects))
    let forward = try Ranking.all(of: texts, among: others, relevant: answers)
    let backward = try Ranking.all(
      of: others,
      among: texts,
      relevant: relevant(otherSubjects, places(subjects))
    )
    self.texts = answers.count { !$0.isEmpty }
    precisionAtOne = precision(forward)
    reversePrecisionAtOne = precision(backward)
    let known = answers.enumerated().flatMap { left, rights in
      rights.map { (left: left, right: $0) }
    }
    let best = try BitextMining.threshold(of: BitextMining().pairs(texts, others), known: known)
    mining =
      best.map {
        F1(precision: $0.precision, recall: $0.recall, f1: $0.f1, threshold: $0.threshold)
      } ?? F1(precision: 0, recall: 0, f1: 0)
  }
}

extension TranslationScore {
  /// How well a model finds the translations of a track's texts in one language, language by language.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - dataset: The data set.
  ///   - track: Which concepts and languages, and which kind of text.
  ///   - pivot: The language that the others look for and are looked for by.
  ///   - progress: Is told how many languages are done, and of how many.
  /// - Returns: By language, without the pivot, and without languages that share no concept with it.
  /// - Throws: `TensorError` if memory is short; what `progress` throws.
  public static func all(
    of model: RetrievalModel,
    on dataset: RetrievalDataset,
    _ track: RetrievalTrack,
    pivot: String = "en",
    progress: (_ done: Int, _ of: Int) throws -> Void = { _, _ in }
  ) throws -> [String: TranslationScore] {
    let members = Set(track.concepts)
    let wanted = Set(track.languages + [pivot])
    // A text that names several things is one text.
    var texts: [String: [String: Set<Int>]] = [:]
    for caption in dataset.captions
    where caption.kind == track.kind && members.contains(caption.concept)
      && wanted.contains(caption.language)
    {
      texts[caption.language, default: [:]][caption.text, default: []].insert(caption.concept)
    }
    func read(_ language: String) throws -> (vectors: Tensor, subjects: [Set<Int>])? {
      guard let own = texts[language]?.sorted(by: { $0.key < $1.key }), !own.isEmpty else {
        return nil
      }
      return (try model.vectors(ofTexts: own.map(\.key), for: .texts), own.map(\.value))
    }
    guard let others = try read(pivot) else { return [:] }
    let named = others.subjects.reduce(into: Set()) { $0.formUnion($1) }
    var scores: [String: TranslationScore] = [:]
    for (number, language) in track.languages.enumerated() where language != pivot {
      try progress(number, track.languages.count)
      guard let own = try read(language),
        own.subjects.contains(where: { !$0.isDisjoint(with: named) })
      else { continue }
      scores[language] = try TranslationScore(
        texts: own.vectors,
        subjects: own.subjects,
        others: others.vectors,
        otherSubjects: others.subjects
      )
    }
    return scores
  }
}
