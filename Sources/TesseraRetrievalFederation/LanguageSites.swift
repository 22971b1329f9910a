public import TesseraRetrieval

/// Who holds the texts of which languages.
public struct LanguageSites: Sendable, Hashable {
  /// The names of the sites, and their languages.
  public let sites: [(name: String, languages: [String])]

  /// Where languages without a relative in a data set are, if families are divided.
  public static let single = "languages without relatives"

  /// Divides the languages of a data set.
  ///
  /// - Parameters:
  ///   - dataset: Its captions in well-resourced languages, and its translations, are what sites hold.
  ///   - division: Who holds which.
  public init(of dataset: RetrievalDataset, _ division: RetrievalPlan.Federation.Division) {
    let languages = Set(dataset.description.languages.wellResourced)
      .union(dataset.pairs.map(\.language))
    switch division {
    case .byLanguage:
      sites = languages.sorted().map { ($0, [$0]) }
    case .byLanguageFamily:
      var families: [LanguageFamily: [String]] = [:]
      var single: [String] = []
      for language in languages.sorted() {
        if let family = LanguageFamily(of: language) {
          families[family, default: []].append(language)
        } else {
          single.append(language)
        }
      }
      var sites: [(name: String, languages: [String])] = []
      for family in LanguageFamily.allCases {
        guard let own = families[family] else { continue }
        if own.count > 1 { sites.append((family.rawValue, own)) } else { single += own }
      }
      if !single.isEmpty { sites.append((Self.single, single.sorted())) }
      self.sites = sites
    }
  }

  /// Whether two divisions are the same.
  public static func == (a: LanguageSites, b: LanguageSites) -> Bool {
    a.sites.elementsEqual(b.sites) { $0 == $1 }
  }

  /// Hashes the division.
  public func hash(into hasher: inout Hasher) {
    for site in sites {
      hasher.combine(site.name)
      hasher.combine(site.languages)
    }
  }
}
