import Foundation
import Synchronization
import SystemPackage
import TesseraCore
import TesseraRetrieval
import TesseraTesting
import Testing

/// A small data set: a bear to train on, an avocado to test on.
enum Menagerie {
  static func dataset(
    extraPairs: [TextPair] = [],
    extraCaptions: [Caption] = [],
    extraPictures: [Picture] = []
  ) throws -> RetrievalDataset {
    let pictures =
      [
        Picture(concept: 0, artist: "anna", split: .train),
        Picture(concept: 1, artist: "anna", split: .train),
        Picture(concept: 1, artist: "omar", split: .test),
      ] + extraPictures
    let count = pictures.count * 3 * 4 * 4
    return try RetrievalDataset(
      description: DatasetDescription(
        name: "menagerie",
        pictureSize: 4,
        sources: [.init(name: "drawings", version: "1", licence: "CC0")],
        languages: .init(wellResourced: ["en", "de"], underResourced: ["sw", "zu"]),
        recipe: ["size": "4"],
        removed: ["homonyms": 2]
      ),
      concepts: [Concept(id: "1F43B", split: .train), Concept(id: "1F951", split: .test)],
      pictures: pictures,
      pixels: Tensor((0..<count).map { UInt8($0 % 251) }, shape: [pictures.count, 3, 4, 4]),
      captions: [
        Caption(language: "en", concept: 0, kind: .name, text: "bear"),
        Caption(language: "de", concept: 0, kind: .name, text: "Bär \"Petz\" \\ \u{1}\n"),
        Caption(language: "sw", concept: 0, kind: .keywords, text: "dubu | mnyama"),
        Caption(language: "en", concept: 1, kind: .name, text: "avocado"),
        Caption(language: "sw", concept: 1, kind: .name, text: "parachichi"),
      ] + extraCaptions,
      pairs: [
        TextPair(language: "sw", source: "cldr", left: "bear", right: "dubu", concept: 0),
        TextPair(language: "zu", source: "stamps", left: "A cow.", right: "Inkomo."),
      ] + extraPairs
    )
  }
}

@Suite struct RetrievalDatasetTests {
  private let folder: TemporaryFolder
  private var path: FilePath { folder.path.appending("set") }

  init() throws { folder = try TemporaryFolder() }

  private func expectSame(_ a: RetrievalDataset, _ b: RetrievalDataset) throws {
    #expect(a.description == b.description)
    #expect(a.concepts == b.concepts)
    #expect(a.pictures == b.pictures)
    #expect(a.captions == b.captions)
    #expect(a.pairs == b.pairs)
    #expect(a.pixels.shape == b.pixels.shape)
    #expect(try a.pixels.array(of: UInt8.self) == b.pixels.array(of: UInt8.self))
  }

  @Test func whatIsWrittenIsRead() throws {
    let data = try Menagerie.dataset()
    #expect(data.digest == nil)
    let written = try data.write(to: path)
    let read = try RetrievalDataset(contentsOf: path)
    try expectSame(read, data)
    #expect(read.digest != nil && read.digest == written.digest)
    // Again over the first: the same bytes, and nothing is left beside it.
    #expect(try data.write(to: path).digest == read.digest)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path.string) == ["set"])
    let other = try Menagerie.dataset(extraPairs: [
      TextPair(language: "sw", source: "cldr", left: "a", right: "b")
    ])
    #expect(try other.write(to: path).digest != read.digest)
  }

  /// What a killed process has left goes; what another is writing at the moment stays.
  @Test func whatWasAbandonedIsRemoved() throws {
    let abandoned = folder.path.appending(".set.abc.partial")
    let current = folder.path.appending(".set.def.partial")
    for name in [abandoned, current] {
      try FileManager.default.createDirectory(
        atPath: name.string,
        withIntermediateDirectories: true
      )
      try AtomicFile.write("half", to: name.appending("captions.jsonl"))
    }
    let lock = try FileDescriptor.open(current, .readOnly, options: .directory)
    defer { try? lock.close() }
    try #require(flock(lock.rawValue, LOCK_EX | LOCK_NB) == 0)
    try Menagerie.dataset().write(to: path)
    #expect(!FileManager.default.fileExists(atPath: abandoned.string))
    #expect(FileManager.default.fileExists(atPath: current.string))
  }

  /// As two first runs at once do, which both build what is not there yet.
  @Test func severalMayWriteAtOnce() throws {
    let failures = Mutex<[String]>([])
    DispatchQueue.concurrentPerform(iterations: 12) { number in
      do {
        try Menagerie.dataset(extraPairs: [
          TextPair(language: "sw", source: "cldr", left: "a", right: "\(number)")
        ]).write(to: path)
      } catch { failures.withLock { $0.append("\(error)") } }
    }
    #expect(failures.withLock { $0 } == [])
    #expect(try RetrievalDataset(contentsOf: path).pairs.count == 3)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path.string) == ["set"])
  }

  @Test func whatIsNoDataSetIsNotReplaced() throws {
    try FileManager.default.createDirectory(
      atPath: path.string,
      withIntermediateDirectories: true
    )
    try AtomicFile.write("precious", to: path.appending("thesis.txt"))
    #expect(throws: RetrievalError.self) { try Menagerie.dataset().write(to: path) }
    #expect(try FileManager.default.contentsOfDirectory(atPath: path.string) == ["thesis.txt"])
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path.string) == ["set"])
  }

  /// What reading says after a change of one file.
  private func message(_ name: String, _ change: (inout String) throws -> Void) throws -> String {
    try Menagerie.dataset().write(to: path)
    let file = path.appending(name)
    var text = try String(contentsOfFile: file.string, encoding: .utf8)
    try change(&text)
    try AtomicFile.write(text, to: file)
    do { _ = try RetrievalDataset(contentsOf: path) } catch { return "\(error)" }
    return ""
  }

  @Test func damageIsFoundAndItsFileAndLineNamed() throws {
    let captions = "captions.jsonl"
    let cut = try message(captions) { $0.removeLast(5) }
    #expect(cut.hasSuffix("captions.jsonl, line 5: the file ends within it"))
    let missing = try message(captions) {
      $0.replace("\"text\":\"bear\"", with: "\"test\":\"bear\"")
    }
    #expect(missing.hasSuffix("captions.jsonl, line 1: the field 'text' is missing"))
    let kind = try message(captions) { $0.replace("keywords", with: "songs") }
    #expect(kind.hasSuffix("captions.jsonl, line 3: the field 'kind' has a bad value"))
    let garbage = try message("pictures.jsonl") { $0.replace("{", with: "[", maxReplacements: 1) }
    #expect(garbage.hasSuffix("pictures.jsonl, line 1: it is not JSON"))
    let unknown = try message("pairs.jsonl") { $0.replace("1F43B", with: "1F43C") }
    #expect(unknown.hasSuffix("pairs.jsonl, line 1: its concept is not in concepts.jsonl"))
    let twice = try message("concepts.jsonl") { $0.replace("1F951", with: "1F43B") }
    #expect(twice.hasSuffix("concepts.jsonl, line 2: the concept was there before"))
    let fewer = try message("pairs.jsonl") { $0 = $0.split(separator: "\n")[0] + "\n" }
    #expect(fewer.hasSuffix("pairs.jsonl has 1 lines; dataset.json says 2"))
    let changed = try message("pairs.jsonl") { $0.replace("dubu", with: "dudu") }
    #expect(changed.contains("pairs.jsonl is not what was written"))
    let manifest = try message("dataset.json") { $0.replace("\"counts\"", with: "\"count\"") }
    #expect(manifest.hasSuffix("dataset.json: the field 'counts' is missing"))
    let version = try message("dataset.json") {
      $0.replace("\"version\" : 1\n", with: "\"version\" : 7\n")
    }
    #expect(version.hasSuffix("dataset.json: its layout is of version 7, not 1"))
    let digest = try message("dataset.json") {
      $0.replace("\"digest\" : \"", with: "\"digest\" : \"0")
    }
    #expect(digest.contains("its digest is not that of its files"))
  }

  @Test func damagedPixelsAreFound() throws {
    try Menagerie.dataset().write(to: path)
    let file = path.appending("pictures.safetensors")
    let bytes = try #require(FileManager.default.contents(atPath: file.string))
    func error(_ changed: Data) throws -> RetrievalError? {
      try changed.write(to: URL(fileURLWithPath: file.string))
      do { _ = try RetrievalDataset(contentsOf: path) } catch let error as RetrievalError {
        return error
      }
      return nil
    }
    let truncated = try error(bytes.dropLast(7))
    #expect(truncated?.code == .malformedFile)
    #expect(truncated?.message.contains("pictures.safetensors") == true)
    var flipped = bytes
    flipped[flipped.count - 1] ^= 1
    #expect(try error(flipped)?.message.contains("is not what was written") == true)
    #expect(try error(bytes) == nil)
    try FileManager.default.removeItem(atPath: file.string)
    #expect(throws: RetrievalError.self) { try RetrievalDataset(contentsOf: path) }
    do { _ = try RetrievalDataset(contentsOf: path) } catch let error as RetrievalError {
      #expect(error.code == .missingFile)
    }
  }

  @Test func whatDoesNotFitTogetherIsRefused() throws {
    let data = try Menagerie.dataset()
    func message(
      concepts: [Concept]? = nil,
      captions: [Caption]? = nil,
      pixels: Tensor? = nil
    ) -> String {
      do {
        _ = try RetrievalDataset(
          description: data.description,
          concepts: concepts ?? data.concepts,
          pictures: data.pictures,
          pixels: pixels ?? data.pixels,
          captions: captions ?? data.captions
        )
      } catch { return "\(error)" }
      return ""
    }
    #expect(message() == "")
    #expect(message(concepts: [data.concepts[0]]).contains("names a concept that is not there"))
    #expect(
      message(concepts: [data.concepts[0], data.concepts[0]])
        == "menagerie: concept 2 has the identifier of another"
    )
    let french = Caption(language: "fr", concept: 0, kind: .name, text: "ours")
    #expect(message(captions: [french]).contains("caption 1 is in neither group"))
    #expect(try message(pixels: data.pixels.to(.float32)).contains("[3, 3, 4, 4]"))
  }

  @Test func captionsAndPicturesAreChosenByGroupAndPart() throws {
    let data = try Menagerie.dataset()
    #expect(data.captions(in: ["en", "sw"]) == [0, 2, 3, 4])
    #expect(data.captions(in: ["sw"], kinds: [.name]) == [4])
    #expect(data.captions(in: ["en", "sw"], ofConceptsIn: [.train, .dev]) == [0, 2])
    #expect(data.pictures(in: .train) == [0, 1])
    #expect(data.pictures(in: .train, ofConceptsIn: [.test]) == [1])
    #expect(data.pictures(in: .test) == [2])
  }
}

@Suite struct LeakTests {
  @Test func aPlantedLeakIsFound() throws {
    func leak(_ pair: TextPair) throws -> Leak? {
      try Menagerie.dataset(extraPairs: [pair]).firstLeak()
    }
    #expect(try Menagerie.dataset().firstLeak() == nil)
    // Held-out concept, under-resourced language, under any text.
    let named = TextPair(
      language: "zu",
      source: "cldr",
      left: "fruit",
      right: "isithelo",
      concept: 1
    )
    #expect(try leak(named) == .concept(pair: 2))
    // Well-resourced translations of it are learned.
    let german = TextPair(
      language: "de",
      source: "cldr",
      left: "avocado",
      right: "Avocado",
      concept: 1
    )
    #expect(try leak(german) == nil)
    // Keywords are many concepts'.
    let heldOut = Caption(language: "zu", concept: 1, kind: .keywords, text: "isithelo")
    let fruit = TextPair(language: "zu", source: "cldr", left: "fruit", right: "isithelo")
    #expect(try Menagerie.dataset(extraPairs: [fruit], extraCaptions: [heldOut]).firstLeak() == nil)
    // The same word as a translation of something else, in whatever language, on either side.
    let homonym = TextPair(language: "zu", source: "stamps", left: "pear", right: "Parachichi")
    #expect(try leak(homonym) == .caption(pair: 2))
    let left = TextPair(language: "de", source: "stamps", left: "parachichi", right: "Birne")
    #expect(try leak(left) == .caption(pair: 2))
    let within = TextPair(
      language: "sw",
      source: "stamps",
      left: "pears",
      right: "parachichi mbili"
    )
    #expect(try leak(within) == nil)
  }

  /// What tokenizers drop, or take for the same, makes no other text.
  @Test(arguments: [
    "Parachichi.", "para\u{AD}chichi", "para\u{200D}chichi", " parachichi\u{2003}!", "PARACHICHI",
    "ｐａｒａｃｈｉｃｈｉ", "¡parachichi!", "(parachichi)…",
  ]) func whatTokenizersSeeAsTheSameIsTheSame(text: String) throws {
    let pair = TextPair(language: "zu", source: "stamps", left: "A pear.", right: text)
    #expect(try Menagerie.dataset(extraPairs: [pair]).firstLeak() == .caption(pair: 2))
  }

  @Test(arguments: ["parachichí", "para chichi", "parachichi 2", "…", ""])
  func otherTextsAreOthers(text: String) throws {
    let pair = TextPair(language: "zu", source: "stamps", left: "A pear.", right: text)
    #expect(try Menagerie.dataset(extraPairs: [pair]).firstLeak() == nil)
  }

  /// A name that is a mark alone is compared as the mark that it is.
  @Test func punctuationAloneIsNotAllTheSame() throws {
    let mark = Caption(language: "zu", concept: 1, kind: .name, text: "‼")
    func leak(_ text: String) throws -> Leak? {
      let pair = TextPair(language: "zu", source: "stamps", left: "mark", right: text)
      return try Menagerie.dataset(extraPairs: [pair], extraCaptions: [mark]).firstLeak()
    }
    #expect(try leak("!!") == .caption(pair: 2))
    #expect(try leak("?") == nil)
  }

  @Test func aNameAmongKeywordsIsALeak() throws {
    func leaks(_ left: String, _ right: String) throws -> [Leak] {
      let pair = TextPair(language: "sw", source: "cldr", left: left, right: right, concept: 0)
      return try Menagerie.dataset(extraPairs: [pair]).leaks()
    }
    #expect(try leaks("food | pear", "chakula | Parachichi!") == [.keyword(pair: 2)])
    #expect(try leaks("food | parachichi", "chakula | peasi") == [.keyword(pair: 2)])
    #expect(try leaks("food | pears", "chakula | parachichi mbili") == [])
  }

  @Test func allLeaksAreTold() throws {
    let pairs = ["parachichi", "embe", "Parachichi."].map {
      TextPair(language: "sw", source: "stamps", left: "fruit", right: $0)
    }
    let data = try Menagerie.dataset(
      extraPairs: pairs,
      extraPictures: [Picture(concept: 0, artist: "anna", split: .test)]
    )
    #expect(data.leaks() == [.artist(picture: 3), .caption(pair: 2), .caption(pair: 4)])
  }

  @Test func aPictureOfAnArtistWhoIsTrainedOnIsNoTest() throws {
    let data = try Menagerie.dataset(extraPictures: [
      Picture(concept: 0, artist: "anna", split: .test)
    ])
    #expect(data.firstLeak() == .artist(picture: 3))
  }
}
