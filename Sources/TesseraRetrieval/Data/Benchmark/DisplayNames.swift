internal import SystemPackage

/// What CLDR calls languages, territories, scripts, variants, currencies and units.
enum DisplayNames {
  /// The English names with those of all other locales.
  static func pairs(
    _ packages: RetrievalPackages,
    source: String,
    _ progress: @Sendable (DatasetProgress) throws -> Void
  ) throws -> [TextPair] {
    let folder = packages.cldr.appending("main")
    let english = try LDMLFile.displayNames(in: folder.appending("en.xml"))
    let files = try RetrievalPackages.names(in: folder).filter { name in
      name.hasSuffix(".xml") && name != "root.xml"
        && LanguageCode.cldr(String(name.dropLast(4))) != nil
    }
    return try ParallelWork.map(files.count, step: "reading display names", progress: progress) {
      number -> [TextPair] in
      let language = String(files[number].dropLast(4))
      return try LDMLFile.displayNames(in: folder.appending(files[number]))
        .sorted { $0.key < $1.key }
        .compactMap { key, right in
          // Many are names that no language translates.
          guard let left = english[key], left != right else { return nil }
          return TextPair(language: language, source: source, left: left, right: right)
        }
    }.flatMap { $0 }
  }
}

/// What the catalogues of iso-codes call languages, countries, currencies and scripts.
enum ISOCatalogues {
  /// Not ISO 3166-2: what parts of countries are called is mostly the same name in other letters.
  private static let standards = [
    "iso_639-2", "iso_639-3", "iso_639-5", "iso_3166-1", "iso_3166-3", "iso_4217", "iso_15924",
  ]

  /// The English names with those of all other locales.
  static func pairs(
    _ packages: RetrievalPackages,
    source: String,
    _ progress: @Sendable (DatasetProgress) throws -> Void
  ) throws -> [TextPair] {
    var files: [(language: String, path: FilePath)] = []
    for locale in try RetrievalPackages.names(in: packages.locales) {
      guard let language = LanguageCode.cldr(locale) else { continue }
      let folder = packages.locales.appending(locale).appending("LC_MESSAGES")
      let names = Set(try RetrievalPackages.names(in: folder))
      for standard in standards where names.contains("\(standard).mo") {
        files.append((language, folder.appending("\(standard).mo")))
      }
    }
    let found = files
    let pairs = try ParallelWork.map(found.count, step: "reading iso-codes", progress: progress) {
      number -> [TextPair] in
      let (language, path) = found[number]
      return try MOFile(contentsOf: path).messages.compactMap { message in
        guard message.original != message.translation else { return nil }
        return TextPair(
          language: language,
          source: source,
          left: message.original,
          right: message.translation
        )
      }
    }
    // Languages are in several standards.
    var known: Set<TextPair> = []
    return pairs.flatMap { $0 }.filter { known.insert($0).inserted }
  }
}
