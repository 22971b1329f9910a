public import TesseraCore
public import TesseraRun

/// How alike a model represents the same things in several languages, and the map that this gives (after Kudugunta et al., 2019, and
/// Jain et al., 2021, section 6).
public struct LanguageMap: Sendable, Hashable, Codable {
  /// The languages, by their codes.
  public var languages: [String]
  /// How alike each two are: the mean canonical correlation of their vectors of the same things, in `0...1`.
  public var similarities: [[Double]]
  /// The same with the things of each language in an order of its own, the mean over pairs of languages: what no meaning explains; 0
  /// without a draw.
  public var shuffledSimilarity: Double
  /// How many things there are that all languages name.
  public var things: Int
  /// What the map says of areas and families, each against what chance gives.
  public var tests: Tests

  /// What a map says, each against what chance gives; `nil` without the languages, or without a draw.
  ///
  /// Indices of areas are compared with those of shuffled things, where each language's are in an order of its own; the purity of families
  /// with that of families which as many languages were dealt to by lot.
  public struct Tests: Sendable, Hashable, Codable {
    /// Of ``LanguageMap/balkanIndex``.
    public var balkanIndex: PermutationTest?
    /// Of ``LanguageMap/finnicSlavicIndex``.
    public var finnicSlavicIndex: PermutationTest?
    /// Of the share of languages whose nearest one is of their family, English left out.
    public var nearestPurity: PermutationTest?
    /// The same of the nearest three.
    public var nearestThreePurity: PermutationTest?

    /// Some tests.
    public init(
      balkanIndex: PermutationTest? = nil,
      finnicSlavicIndex: PermutationTest? = nil,
      nearestPurity: PermutationTest? = nil,
      nearestThreePurity: PermutationTest? = nil
    ) {
      self.balkanIndex = balkanIndex
      self.finnicSlavicIndex = finnicSlavicIndex
      self.nearestPurity = nearestPurity
      self.nearestThreePurity = nearestThreePurity
    }
  }

  /// English: all translations were learnt against it, so that it is near to all languages.
  public static let pivot: Set = ["en"]

  /// Measures a model.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - dataset: Names the same concepts in all languages.
  ///   - languages: Those of the map; those that the data set does not have, or that name hardly anything, are left out.
  ///   - splits: Of concepts in which parts; those to train on if `nil`, whose names are learned in all languages, or all in a data set
  ///     without such.
  ///   - shuffles: How often things are shuffled, to know what chance gives.
  ///   - key: Draws the shuffled orders.
  ///   - progress: Is told how many languages and draws are done, and of how many, from whichever thread; what it throws ends it.
  /// - Throws: ``RetrievalError`` with code ``RetrievalError/Code/invalidArgument`` if fewer than three languages name enough concepts.
  public init(
    of model: RetrievalModel,
    on dataset: RetrievalDataset,
    languages: [String] = LanguageFamily.allLanguages,
    ofConceptsIn splits: Set<DatasetSplit>? = nil,
    shuffles: Int = 99,
    key: RandomKey = RandomKey(seed: 1),
    progress: @Sendable (_ done: Int, _ of: Int) throws -> Void = { _, _ in }
  ) throws {
    let isTrained = dataset.concepts.contains { $0.split == .train }
    let splits = splits ?? (isTrained ? [.train] : Set(DatasetSplit.allCases))
    var names: [String: [Int: String]] = [:]
    for position in dataset.captions(in: languages, kinds: [.name], ofConceptsIn: splits) {
      let caption = dataset.captions[position]
      names[caption.language, default: [:]][caption.concept] = caption.text
    }
    // A language that names few things would leave few for all.
    let most = names.values.map(\.count).max() ?? 0
    let used = languages.filter { (names[$0]?.count ?? 0) * 2 >= most && most > 0 }
    let shared = used.map { Set((names[$0] ?? [:]).keys) }
    let common = (shared.first ?? []).filter { thing in shared.allSatisfy { $0.contains(thing) } }
      .sorted()
    guard used.count >= 3, common.count >= 10 else {
      throw RetrievalError(
        code: .invalidArgument,
        message: """
          a map needs three languages or more that name the same ten things or more: \(used.count) \
          languages share \(common.count) in \(dataset.description.name)
          """
      )
    }
    let all = used.count + max(0, shuffles)
    var vectors: [Tensor] = []
    for (number, language) in used.enumerated() {
      try progress(number, all)
      vectors.append(
        try model.vectors(ofTexts: common.map { names[language]?[$0] ?? "" }, for: .texts)
      )
    }
    let read = used.count
    try self.init(languages: used, vectors: vectors, shuffles: shuffles, key: key) { done, _ in
      try progress(read + done, all)
    }
  }

  /// The map of vectors.
  ///
  /// - Parameters:
  ///   - languages: Their codes.
  ///   - vectors: For each language `[things, dimension]`, of the same things in the same order.
  ///   - shuffles: How often things are shuffled, to know what chance gives.
  ///   - key: Draws the shuffled orders.
  ///   - progress: Is told how many draws are done, and of how many, from whichever thread; what it throws ends it.
  /// - Throws: ``RetrievalError`` with code ``RetrievalError/Code/invalidArgument`` if the numbers do not fit together.
  public init(
    languages: [String],
    vectors: [Tensor],
    shuffles: Int = 99,
    key: RandomKey,
    progress: @Sendable (_ done: Int, _ of: Int) throws -> Void = { _, _ in }
  ) throws {
    guard languages.count == vectors.count, let things = vectors.first?.shape.first else {
      throw RetrievalError(
        code: .invalidArgument,
        message: "\(languages.count) languages need vectors each, not \(vectors.count)"
      )
    }
    let parts = try vectors.map { try CanonicalCorrelation($0) }
    self.init(
      languages: languages,
      things: things,
      try Self.similarities(of: parts, among: Self.pairs(parts.count))
    )
    // All pairs take seconds; the indices ask for a few.
    let asked = indexPairs
    let draws = try ParallelWork.map(
      max(0, shuffles),
      step: "shuffling",
      progress: { try progress($0.done, $0.total) }
    ) { draw in
      let shuffled = try parts.indices.map { index in
        var numbers = KeyedRandomNumbers(key: key["shuffled"][draw][index])
        return try parts[index].shuffled(by: (0..<things).shuffled(using: &numbers))
      }
      let pairs = draw == 0 ? Self.pairs(parts.count) : asked
      return LanguageMap(
        languages: languages,
        things: things,
        try Self.similarities(of: shuffled, among: pairs)
      )
    }
    shuffledSimilarity = draws.first?.meanSimilarity ?? 0
    tests = Tests(self, shuffled: draws, key: key)
  }

  /// A map that nothing is compared with.
  private init(languages: [String], things: Int, _ similarities: [[Double]]) {
    self.languages = languages
    self.things = things
    self.similarities = similarities
    shuffledSimilarity = 0
    tests = Tests()
  }

  /// All pairs of so many languages.
  private static func pairs(_ count: Int) -> [(Int, Int)] {
    (0..<count).flatMap { row in (row + 1..<max(row + 1, count)).map { (row, $0) } }
  }

  /// Similarities of some pairs; 1 on the diagonal, and 0 for all others.
  private static func similarities(
    of parts: [CanonicalCorrelation],
    among pairs: [(Int, Int)]
  ) throws -> [[Double]] {
    var similarities = parts.indices.map { row in parts.indices.map { $0 == row ? 1.0 : 0 } }
    for (row, column) in pairs {
      let value = try parts[row].mean(with: parts[column])
      similarities[row][column] = value
      similarities[column][row] = value
    }
    return similarities
  }

  /// Over all pairs of languages.
  private var meanSimilarity: Double {
    languages.indices.flatMap { row in similarities[row][(row + 1)...] }.mean
  }
}

extension LanguageMap.Tests {
  fileprivate init(_ map: LanguageMap, shuffled draws: [LanguageMap], key: RandomKey) {
    func test(_ index: (LanguageMap) -> Double?) -> PermutationTest? {
      guard let value = index(map) else { return nil }
      return PermutationTest(value, shuffled: draws.compactMap(index), alternative: .different)
    }
    balkanIndex = test(\.balkanIndex)
    finnicSlavicIndex = test(\.finnicSlavicIndex)
    let families = map.languages.map { LanguageFamily(of: $0) }
    let dealt = draws.indices.map { draw in
      // Among the languages that count alone, as many to each family as it has.
      let places = families.indices.filter { !LanguageMap.pivot.contains(map.languages[$0]) }
      var numbers = KeyedRandomNumbers(key: key["families"][draw])
      var dealt = families
      for (place, other) in zip(places, places.shuffled(using: &numbers)) {
        dealt[place] = families[other]
      }
      return dealt
    }
    func purity(_ neighbours: Int) -> PermutationTest? {
      func purity(_ families: [LanguageFamily?]) -> Double {
        map.purity(of: families, neighbours: neighbours, excluding: LanguageMap.pivot)
      }
      return PermutationTest(
        purity(families),
        shuffled: dealt.map(purity),
        alternative: .greater
      )
    }
    nearestPurity = purity(1)
    nearestThreePurity = purity(3)
  }
}

extension LanguageMap {
  /// The mean similarity of one group of languages to another, without a language to itself; `nil` if there are none.
  public func similarity(of some: [String], to others: [String]) -> Double? {
    let (rows, columns) = (places(some), places(others))
    let values = rows.flatMap { row in
      columns.filter { $0 != row }.map { similarities[row][$0] }
    }
    return values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
  }

  /// How often the most alike languages are of a language's own family: the mean share among the first `count`.
  ///
  /// - Parameters:
  ///   - count: How many neighbours are looked at.
  ///   - excluding: Languages that are no neighbours: one that all others were trained with is near to all.
  /// - Returns: A share in `0...1`, over the languages that have a relative on the map.
  public func familyPurity(neighbours count: Int, excluding: Set<String> = []) -> Double {
    purity(
      of: languages.map { LanguageFamily(of: $0) },
      neighbours: count,
      excluding: excluding
    )
  }

  fileprivate func purity(
    of families: [LanguageFamily?],
    neighbours count: Int,
    excluding: Set<String>
  ) -> Double {
    var shares: [Double] = []
    for (row, language) in languages.enumerated() where !excluding.contains(language) {
      guard let family = families[row] else { continue }
      let others = languages.indices.filter { $0 != row && !excluding.contains(languages[$0]) }
      guard others.contains(where: { families[$0] == family }) else { continue }
      let nearest = others.sorted {
        (-similarities[row][$0], $0) < (-similarities[row][$1], $1)
      }.prefix(count)
      let own = nearest.count { families[$0] == family }
      shares.append(Double(own) / Double(max(1, nearest.count)))
    }
    return shares.mean
  }

  private static let balkan = ["bg", "mk", "sr"]
  private static let finnic = ["et", "fi"]

  /// By how much Romanian is nearer to its Balkan neighbours than Italian is; `nil` without these languages.
  public var balkanIndex: Double? {
    guard let romanian = similarity(of: ["ro"], to: Self.balkan),
      let italian = similarity(of: ["it"], to: Self.balkan)
    else { return nil }
    return romanian - italian
  }

  /// By how much Estonian and Finnish are nearer to Slavic than to Germanic languages; `nil` without these languages.
  public var finnicSlavicIndex: Double? {
    guard let slavic = similarity(of: Self.finnic, to: LanguageFamily.slavic.languages),
      let germanic = similarity(of: Self.finnic, to: LanguageFamily.germanic.languages)
    else { return nil }
    return slavic - germanic
  }

  /// The pairs of languages that the indices look at.
  private var indexPairs: [(Int, Int)] {
    let groups = [
      (["ro", "it"], Self.balkan),
      (Self.finnic, LanguageFamily.slavic.languages + LanguageFamily.germanic.languages),
    ]
    return groups.flatMap { some, others in
      places(some).flatMap { row in places(others).map { (row, $0) } }
    }
  }

  /// The map, languages coloured by their family.
  ///
  /// - Throws: ``RetrievalError`` with code ``RetrievalError/Code/invalidArgument`` if there are fewer than three languages.
  public func plot() throws -> ScatterPlot {
    // What even shuffled things share says nothing about a pair.
    let affinities = similarities.map { row in row.map { max(0, $0 - shuffledSimilarity) } }
    let places = try SpectralEmbedding.places(affinities)
    let families = LanguageFamily.mapped
    return ScatterPlot(
      zip(languages, places).map { language, place in
        let family = LanguageFamily(of: language).flatMap { families.firstIndex(of: $0) }
        return .init(language, x: place.x, y: place.y, group: family ?? families.count)
      },
      groups: families.map(\.rawValue) + ["others"],
      label: "Languages, near where a model represents the same things alike"
    )
  }

  private func places(_ languages: [String]) -> [Int] {
    languages.compactMap { self.languages.firstIndex(of: $0) }
  }
}
