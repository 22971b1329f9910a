public import TesseraCore
public import TesseraRun

/// How alike a model represents the same things in several languages, and the map that this gives (after Kudugunta et al., 2019, and
/// Jain et al., 2021, section 6).
public struct LanguageMap: Sendable, Hashable, Codable {
  /// The languages, by their codes.
  public var languages: [String]
  /// How alike each two are: the mean canonical correlation of their vectors of the same things, in `0...1`.
  public var similarities: [[Double]]
  /// The same with the things of each language in an order of its own: what no meaning explains.
  public var shuffledSimilarity: Double
  /// How many things there are that all languages name.
  public var things: Int

  /// Measures a model.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - dataset: Names the same concepts in all languages.
  ///   - languages: Those of the map; those that the data set does not have, or that name hardly anything, are left out.
  ///   - key: Draws the shuffled orders.
  ///   - progress: Is told how many languages are done, and of how many.
  /// - Throws: ``RetrievalError`` with code ``RetrievalError/Code/invalidArgument`` if fewer than three languages name enough concepts.
  public init(
    of model: RetrievalModel,
    on dataset: RetrievalDataset,
    languages: [String] = LanguageFamily.allLanguages,
    key: RandomKey = RandomKey(seed: 1),
    progress: (_ done: Int, _ of: Int) throws -> Void = { _, _ in }
  ) throws {
    var names: [String: [Int: String]] = [:]
    let wanted = Set(languages)
    for caption in dataset.captions where caption.kind == .name && wanted.contains(caption.language)
    {
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
    var vectors: [Tensor] = []
    for (number, language) in used.enumerated() {
      try progress(number, used.count)
      vectors.append(
        try model.vectors(ofTexts: common.map { names[language]?[$0] ?? "" }, for: .texts)
      )
    }
    try progress(used.count, used.count)
    try self.init(languages: used, vectors: vectors, key: key)
  }

  /// The map of vectors.
  ///
  /// - Parameters:
  ///   - languages: Their codes.
  ///   - vectors: For each language `[things, dimension]`, of the same things in the same order.
  ///   - key: Draws the shuffled orders.
  /// - Throws: ``RetrievalError`` with code ``RetrievalError/Code/invalidArgument`` if the numbers do not fit together.
  public init(languages: [String], vectors: [Tensor], key: RandomKey) throws {
    guard languages.count == vectors.count, let things = vectors.first?.shape.first else {
      throw RetrievalError(
        code: .invalidArgument,
        message: "\(languages.count) languages need vectors each, not \(vectors.count)"
      )
    }
    let parts = try vectors.map { try CanonicalCorrelation($0) }
    let shuffled = try parts.indices.map { index in
      var numbers = KeyedRandomNumbers(key: key["shuffled"][index])
      return try parts[index].shuffled(by: (0..<things).shuffled(using: &numbers))
    }
    var similarities = parts.map { _ in [Double](repeating: 1, count: parts.count) }
    var null = 0.0
    for row in parts.indices {
      for column in parts.indices where column > row {
        let value = try parts[row].mean(with: parts[column])
        similarities[row][column] = value
        similarities[column][row] = value
        null += try shuffled[row].mean(with: shuffled[column])
      }
    }
    let pairs = parts.count * (parts.count - 1) / 2
    self.languages = languages
    self.similarities = similarities
    self.things = things
    shuffledSimilarity = pairs > 0 ? null / Double(pairs) : 0
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
    var shares: [Double] = []
    for (row, language) in languages.enumerated() where !excluding.contains(language) {
      guard let family = LanguageFamily(of: language) else { continue }
      let others = languages.indices.filter { $0 != row && !excluding.contains(languages[$0]) }
      guard others.contains(where: { LanguageFamily(of: languages[$0]) == family }) else {
        continue
      }
      let nearest = others.sorted {
        (-similarities[row][$0], $0) < (-similarities[row][$1], $1)
      }.prefix(count)
      let own = nearest.count { LanguageFamily(of: languages[$0]) == family }
      shares.append(Double(own) / Double(max(1, nearest.count)))
    }
    return shares.isEmpty ? 0 : shares.reduce(0, +) / Double(shares.count)
  }

  /// By how much Romanian is nearer to its Balkan neighbours than Italian is; `nil` without these languages.
  public var balkanIndex: Double? {
    let balkan = ["bg", "mk", "sr"]
    guard let romanian = similarity(of: ["ro"], to: balkan),
      let italian = similarity(of: ["it"], to: balkan)
    else { return nil }
    return romanian - italian
  }

  /// By how much Estonian and Finnish are nearer to Slavic than to Germanic languages; `nil` without these languages.
  public var finnicSlavicIndex: Double? {
    let finnic = ["et", "fi"]
    guard let slavic = similarity(of: finnic, to: LanguageFamily.slavic.languages),
      let germanic = similarity(of: finnic, to: LanguageFamily.germanic.languages)
    else { return nil }
    return slavic - germanic
  }

  /// The map, languages coloured by their family.
  ///
  /// - Throws: ``RetrievalError`` with code ``RetrievalError/Code/invalidArgument`` if there are fewer than three languages.
  public func plot() throws -> ScatterPlot {
    // What even shuffled things share says nothing about a pair.
    let affinities = similarities.map { row in row.map { max(0, $0 - shuffledSimilarity) } }
    let places = try SpectralEmbedding.places(affinities)
    let families = LanguageFamily.allCases
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
