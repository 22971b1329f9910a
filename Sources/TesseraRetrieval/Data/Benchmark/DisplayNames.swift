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

/// What the catalogues of iso-codes call languages, countries and their parts, currencies and scripts.
enum ISOCatalogues {
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
      for name in try RetrievalPackages.names(in: folder)
      where name.hasPrefix("iso_") && name.hasSuffix(".mo") {
        files.append((language, folder.appending(name)))
      }
    }
    let found = files
    return try ParallelWork.map(found.count, step: "reading iso-codes", progress: progress) {
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
    }.flatMap { $0 }
  }
}
