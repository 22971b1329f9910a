public import TesseraCore

/// How well pictures and texts of one language find one another.
public struct RetrievalScore: Sendable, Hashable, Codable {
  /// How often a picture of a text is among the first 1, 5 and 10, in `0...1`.
  public var textToPicture: Recalls
  /// How often a text of a picture is.
  public var pictureToText: Recalls
  /// The gain at ten of texts that look for pictures, in `0...1`.
  public var gainAtTen: Double
  /// For each thing that pictures and texts are of, the mean of the six hits: what a bootstrap draws from.
  public var bySubject: [Int: Double]

  /// Shares of queries that are hits.
  public struct Recalls: Sendable, Hashable, Codable {
    /// Within the first.
    public var at1: Double
    /// Within the first five.
    public var at5: Double
    /// Within the first ten.
    public var at10: Double

    init(_ rankings: [Ranking]) {
      func share(_ limit: Int) -> Double {
        rankings.isEmpty
          ? 0 : Double(rankings.count { $0.isHit(within: limit) }) / Double(rankings.count)
      }
      (at1, at5, at10) = (share(1), share(5), share(10))
    }

    /// The mean of the three.
    public var mean: Double { (at1 + at5 + at10) / 3 }
  }

  /// The mean of all six recalls.
  public var meanRecall: Double { (textToPicture.mean + pictureToText.mean) / 2 }

  /// The score of pictures and texts of one language.
  ///
  /// Two texts that are the same belong to the pictures of both.
  ///
  /// - Parameters:
  ///   - pictures: `[pictures, dimension]`, rows of length 1.
  ///   - texts: `[texts, dimension]`, rows of length 1.
  ///   - pictureSubjects: What each picture shows.
  ///   - textSubjects: What each text names.
  ///   - words: The texts, to find those that are the same.
  ///   - progress: Is told now and then how many texts, then how many pictures are compared; what it throws ends it.
  /// - Throws: ``RetrievalError`` with code ``RetrievalError/Code/invalidArgument`` if the numbers do not fit together.
  public init(
    pictures: Tensor,
    texts: Tensor,
    pictureSubjects: [Int],
    textSubjects: [Int],
    words: [String],
    progress: (_ done: Int) throws -> Void = { _ in }
  ) throws {
    guard textSubjects.count == words.count, pictures.shape.first == pictureSubjects.count else {
      throw RetrievalError(
        code: .invalidArgument,
        message: """
          pictures of shape \(pictures.shape) and \(words.count) texts do not fit \
          \(pictureSubjects.count) and \(textSubjects.count) subjects
          """
      )
    }
    // All that a word names, of all texts that are this word.
    var named: [String: Set<Int>] = [:]
    for (word, subject) in zip(words, textSubjects) { named[word, default: []].insert(subject) }
    var picturesOf: [Int: [Int]] = [:]
    for (index, subject) in pictureSubjects.enumerated() {
      picturesOf[subject, default: []].append(index)
    }
    var textsOf: [Int: [Int]] = [:]
    for (index, word) in words.enumerated() {
      for subject in named[word] ?? [] { textsOf[subject, default: []].append(index) }
    }
    let forward = try Ranking.all(
      of: texts,
      among: pictures,
      relevant: words.map { (named[$0] ?? []).flatMap { picturesOf[$0] ?? [] } },
      progress: progress
    )
    let backward = try Ranking.all(
      of: pictures,
      among: texts,
      relevant: pictureSubjects.map { textsOf[$0] ?? [] },
      progress: progress
    )
    // A text without a picture, or a picture without a text, asks for nothing.
    let asked = forward.indices.filter { !forward[$0].places.isEmpty }
    let askedBack = backward.indices.filter { !backward[$0].places.isEmpty }
    textToPicture = Recalls(asked.map { forward[$0] })
    pictureToText = Recalls(askedBack.map { backward[$0] })
    gainAtTen =
      asked.isEmpty ? 0 : asked.reduce(0) { $0 + forward[$1].gainAtTen } / Double(asked.count)
    var sums: [Int: (forward: [Double], backward: [Double])] = [:]
    for index in asked {
      sums[textSubjects[index], default: ([], [])].forward.append(forward[index].meanRecall)
    }
    for index in askedBack {
      sums[pictureSubjects[index], default: ([], [])].backward.append(backward[index].meanRecall)
    }
    bySubject = sums.compactMapValues { hits in
      guard !hits.forward.isEmpty, !hits.backward.isEmpty else { return nil }
      func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }
      return (mean(hits.forward) + mean(hits.backward)) / 2
    }
  }
}
