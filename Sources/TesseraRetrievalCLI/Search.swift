internal import ArgumentParser
internal import Foundation
internal import SystemPackage
internal import TesseraCommandLine
internal import TesseraCore
internal import TesseraData
internal import TesseraRetrieval
internal import TesseraRun

struct Search: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Finds pictures or texts in an index by a text in any language, or by a picture.",
    discussion: """
      Several texts are searched for together, each by itself. A filter compares what is known of pictures and texts: \
      'language = "hi" and size > 100', 'id glob "animals/**"'. docs/retrieval-index.md has all its forms.

      With --store, the collection of a Chroma server is searched instead of a folder, and all arguments are texts.
      """
  )

  @Argument(help: "The index's folder, and texts to search by, each in any language.")
  var words: [String] = []

  @Option(
    help: ArgumentHelp(
      "A collection of a Chroma server, http://HOST:PORT/COLLECTION, instead of a folder.",
      valueName: "url"
    )
  )
  var store: String?

  @Option(help: "A picture to search by; may be given several times.", completion: .file())
  var image: [String] = []

  @Option(
    help: "The model's folder; where it lay when the index was made, if not given.",
    completion: .directory
  )
  var model: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("How many are shown.", valueName: "1...10000")
  )
  var limit = 10

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "How many of the best are left out, as they were shown before.",
      valueName: "0...1000000"
    )
  )
  var offset = 0

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("The least similarity; 0.95 for near-duplicates.", valueName: "-1...1")
  )
  var atLeast: Double?

  @Flag(help: "Show pairs in the index that are nearly the same, instead of searching.")
  var nearDuplicates = false

  @Option(help: "Only what is in this language: what the index knows under 'language'.")
  var language: String?

  @Option(help: "Only what fulfils this: 'size > 100 and not tag = \"draft\"'.")
  var filter: String?

  @Flag(help: "Print what was found as JSON.")
  var json = false

  func validate() throws {
    guard store != nil || !words.isEmpty else {
      throw ValidationError("Name the index's folder, or a collection by --store")
    }
    if nearDuplicates {
      guard texts.isEmpty, image.isEmpty, offset == 0, language == nil, filter == nil else {
        throw ValidationError(
          "Near-duplicates are those of the whole index: --limit and --at-least say which"
        )
      }
    } else {
      guard !texts.isEmpty || !image.isEmpty else {
        throw ValidationError("Give a text to search by, or a picture by --image")
      }
    }
    for (number, text) in texts.enumerated() where text.allSatisfy(\.isWhitespace) {
      throw ValidationError("Text \(number + 1) to search by is empty")
    }
    guard (1...10_000).contains(limit) else {
      throw ValidationError("The value '\(limit)' is invalid for '--limit <1...10000>'")
    }
    guard (0...1_000_000).contains(offset) else {
      throw ValidationError("The value '\(offset)' is invalid for '--offset <0...1000000>'")
    }
    if let atLeast, !(-1...1).contains(atLeast) {
      throw ValidationError("The value '\(atLeast)' is invalid for '--at-least <-1...1>'")
    }
  }

  private var texts: [String] { store == nil ? Array(words.dropFirst()) : words }

  private var source: StoreOfVectors {
    store.map { .server(address: $0) } ?? .folder(FilePath(words.first ?? ""))
  }

  private func folderOfModel() throws -> FilePath {
    switch source {
    case .folder(let index): return try ModelOfIndex(index: index).folder(model)
    case .server:
      guard let model else {
        throw RetrievalError(
          code: .missingFile,
          message: "a server does not say where the model lies: name it by --model"
        )
      }
      return FilePath(model)
    }
  }

  func run() async throws {
    try await reportingErrors(asJSON: json) {
      let session = RetrievalSession(json: json)
      let folder = try folderOfModel()
      if nearDuplicates { return try await showNearDuplicates(folder, session) }
      let search = try self.search()
      let (source, texts, image) = (source, texts, image)
      let found = try await session.computing {
        let model = try RetrievalModel(contentsOf: folder)
        let store = try await source.open(
          for: model,
          .reading,
          acceleration: source.acceleration
        )
        for (number, text) in texts.enumerated() {
          for script in model.unknownScripts(of: text) {
            Self.warn(
              "the model has learnt no text in \(script) script: what text \(number + 1) finds is chance"
            )
          }
        }
        var queries = texts.isEmpty ? [] : try Self.rows(model.vectors(ofTexts: texts))
        for file in image {
          let picture = try ImageFile.read(FilePath(file), channels: .rgb, over: .white)
          queries += try Self.rows(model.vectors(ofPictures: model.square(picture).unsqueezed(0)))
        }
        return try await store.search(queries, search)
      }
      let names = texts + image
      if json {
        return print(
          try PrintedJSON.of(
            zip(names, found).map { name, matches in
              Answer(query: name, matches: matches.map(Answer.Match.init))
            }
          )
        )
      }
      for (name, matches) in zip(names, found) {
        if names.count > 1 { session.output.line("\(name):") }
        if matches.isEmpty { session.output.line("  nothing") }
        for (place, match) in matches.enumerated() {
          session.output.line(Self.line(match, place: search.offset + place + 1))
        }
      }
    }
  }

  private func showNearDuplicates(_ folder: FilePath, _ session: RetrievalSession) async throws {
    let (source, atLeast, limit) = (source, atLeast ?? 0.95, limit)
    let pairs = try await session.computing {
      let model = try RetrievalModel(contentsOf: folder)
      return try await source.open(for: model, .reading)
        .nearDuplicates(atLeast: Float(atLeast), limit: limit)
    }
    if json { return print(try PrintedJSON.of(pairs.map(Pair.init))) }
    if pairs.isEmpty { session.output.line("  nothing") }
    for pair in pairs {
      session.output.line(String(format: "  %.3f  ", pair.score) + "\(pair.first)  \(pair.second)")
    }
  }

  private struct Pair: Encodable {
    var first: String
    var second: String
    var score: Float

    init(_ pair: NearDuplicate) {
      first = pair.first
      second = pair.second
      score = pair.score
    }
  }

  private func search() throws -> VectorSearch {
    var parts: [VectorFilter] = []
    if let filter { parts.append(try VectorFilter(filter)) }
    if let language { parts.append(.equals("language", .text(language))) }
    return VectorSearch(
      limit: limit,
      offset: offset,
      threshold: atLeast.map { Float($0) },
      filter: parts.count > 1 ? .all(parts) : parts.first
    )
  }

  private static func warn(_ text: String) {
    FileHandle.standardError.write(Data("tessera: Warning: \(text)\n".utf8))
  }

  private static func rows(_ vectors: Tensor) throws -> [[Float]] {
    let (count, width) = (vectors.shape[0], vectors.shape[1])
    let numbers = try vectors.array(of: Float.self)
    return (0..<count).map { Array(numbers[$0 * width..<($0 + 1) * width]) }
  }

  private static func line(_ match: VectorMatch, place: Int) -> String {
    var known = match.metadata
    var text = ""
    if case .text(let found)? = known.removeValue(forKey: TextIndexer.textName) {
      text = "  \(found)"
    }
    let others = known.sorted { $0.key < $1.key }.map { "\($0.key) \(Self.shown($0.value))" }
    let rest = others.isEmpty ? "" : "  (\(others.joined(separator: ", ")))"
    return String(format: "%4d  %.3f  ", place, match.score) + match.id + text + rest
  }

  private static func shown(_ value: MetadataValue) -> String {
    switch value {
    case .text(let text): text
    case .number(let number):
      number == number.rounded() && abs(number) < 1e15 ? "\(Int(number))" : "\(number)"
    case .boolean(let flag): "\(flag)"
    }
  }

  private struct Answer: Encodable {
    struct Match: Encodable {
      var id: String
      var score: Float
      var metadata: [String: MetadataValue]

      init(_ match: VectorMatch) {
        id = match.id
        score = match.score
        metadata = match.metadata
      }
    }

    var query: String
    var matches: [Match]
  }
}
