internal import SystemPackage

/// What emoji are called in CLDR's languages.
struct EmojiNames {
  /// The languages with enough names, in the order of their codes.
  let languages: [String]
  private let annotations: [[String: LDMLFile.Annotation]]

  /// Variants of a language in another script that are no language of their own: written by few, or a copy of it by rule.
  private static let variants: Set = ["hi_Latn", "yue_Hans"]

  /// Reads CLDR's annotations, and those that it derives from them.
  init(
    _ packages: RetrievalPackages,
    leastNames: Int,
    _ progress: @Sendable (DatasetProgress) throws -> Void
  ) throws {
    let (own, derived) = (
      packages.cldr.appending("annotations"), packages.cldr.appending("annotationsDerived")
    )
    let hasDerived = Set(try RetrievalPackages.names(in: derived))
    let files = try RetrievalPackages.names(in: own).filter { name in
      name.hasSuffix(".xml") && Self.isLanguage(String(name.dropLast(4)))
    }
    let read = try ParallelWork.map(files.count, step: "reading names", progress: progress) {
      let file = files[$0]
      var annotations = try LDMLFile.annotations(in: own.appending(file))
      if hasDerived.contains(file) {
        annotations.merge(try LDMLFile.annotations(in: derived.appending(file))) { own, _ in own }
      }
      return annotations
    }
    let large = read.indices.filter { position in
      read[position].values.count { $0.name != nil } >= leastNames
    }
    languages = large.map { String(files[$0].dropLast(4)) }
    annotations = large.map { read[$0] }
    guard languages.contains("en") else {
      throw RetrievalError(
        code: .malformedFile,
        message: "\(own) has fewer than \(leastNames) names of emoji in English"
      )
    }
  }

  /// Whether a locale is a language, perhaps in a script, and not that of a region.
  private static func isLanguage(_ locale: String) -> Bool {
    let parts = locale.split(separator: "_").dropFirst()
    // Scripts have four letters, regions two letters or three digits.
    return locale != "root" && parts.allSatisfy { $0.count == 4 } && !variants.contains(locale)
  }

  /// What emoji are called in a language.
  subscript(language: String) -> [String: LDMLFile.Annotation] {
    languages.firstIndex(of: language).map { annotations[$0] } ?? [:]
  }

  /// Names and keywords of the concepts in all languages.
  func captions(of emoji: EmojiConcepts) -> [Caption] {
    var captions: [Caption] = []
    for (language, annotations) in zip(languages, annotations) {
      for (concept, text) in emoji.texts.enumerated() {
        guard let annotation = annotations[text] else { continue }
        for (kind, text) in [
          (Caption.Kind.name, annotation.name), (.keywords, annotation.keywords),
        ] {
          if let text {
            captions.append(Caption(language: language, concept: concept, kind: kind, text: text))
          }
        }
      }
    }
    return captions
  }

  /// English names and keywords with those in the other languages: of all concepts in the well-resourced ones, else of those to train on.
  func pairs(of emoji: EmojiConcepts, wellResourced: Set<String>, source: String) -> [TextPair] {
    let english = self["en"]
    var pairs: [TextPair] = []
    for (language, annotations) in zip(languages, annotations) where language != "en" {
      let isWell = wellResourced.contains(language)
      for (concept, text) in emoji.texts.enumerated()
      where isWell || emoji.concepts[concept].split == .train {
        guard let left = english[text], let right = annotations[text] else { continue }
        for (left, right) in [(left.name, right.name), (left.keywords, right.keywords)] {
          guard let left, let right else { continue }
          pairs.append(
            TextPair(language: language, source: source, left: left, right: right, concept: concept)
          )
        }
      }
    }
    return pairs
  }
}
