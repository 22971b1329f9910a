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
      'language = "hi" and size > 100', 'id glob "animals/**"'. docs/retrieval.md has all its forms.
      """
  )

  @Argument(help: "The index's folder.", completion: .directory)
  var index: String

  @Argument(help: "Texts to search by, each in any language.")
  var texts: [String] = []

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
    help: ArgumentHelp("Which page of them, from 1.", valueName: "1...10000")
  )
  var page = 1

  @Option(parsing: .unconditional, help: "The least similarity, -1 to 1.")
  var threshold: Double?

  @Option(help: "Only what is in this language: what the index knows under 'language'.")
  var language: String?

  @Option(help: "Only what fulfils this: 'size > 100 and not tag = \"draft\"'.")
  var filter: String?

  @Flag(help: "Print what was found as JSON.")
  var json = false

  func validate() throws {
    guard !texts.isEmpty || !image.isEmpty else {
      throw ValidationError("Give a text to search by, or a picture by --image")
    }
    guard (1...10_000).contains(limit) else {
      throw ValidationError("The value '\(limit)' is invalid for '--limit <1...10000>'")
    }
    guard (1...10_000).contains(page) else {
      throw ValidationError("The value '\(page)' is invalid for '--page <1...10000>'")
    }
    if let threshold, !(-1...1).contains(threshold) {
      throw ValidationError("The value '\(threshold)' is invalid for '--threshold <-1...1>'")
    }
  }

  func run() async throws {
    try await reportingErrors(asJSON: json) {
      let session = RetrievalSession(json: json)
      let search = try self.search()
      let (index, texts, image) = (FilePath(index), texts, image)
      let folder = try ModelOfIndex(index: index).folder(model)
      let found = try await session.computing {
        let model = try RetrievalModel(contentsOf: folder)
        let store = try VectorIndex(
          index,
          model: model.digest,
          dimension: model.encoder.configuration.dimension,
          access: .reading
        )
        var queries = try Self.rows(model.vectors(ofTexts: texts))
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

  private func search() throws -> VectorSearch {
    var parts: [VectorFilter] = []
    if let filter { parts.append(try VectorFilter(filter)) }
    if let language { parts.append(.equals("language", .text(language))) }
    return VectorSearch(
      limit: limit,
      offset: (page - 1) * limit,
      threshold: threshold.map { Float($0) },
      filter: parts.count > 1 ? .all(parts) : parts.first
    )
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
