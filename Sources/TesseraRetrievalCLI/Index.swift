internal import ArgumentParser
internal import Foundation
internal import SystemPackage
internal import TesseraCommandLine
internal import TesseraRetrieval
internal import TesseraRetrievalFaiss
internal import TesseraRun

struct Index: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Puts pictures or texts into an index, to be searched.",
    discussion: """
      Pictures are the PNG and JPEG files of a folder, or what a .csv, .tsv or .jsonl file lists: 'picture', perhaps 'id', and anything else \
      that is to be shown or filtered by. With --texts, such a file has 'text' instead, and any other file a text a line. What is in \
      the index already and has not changed is left alone, so a command that was stopped goes on when it is given again. What cannot be \
      read is named, and the rest goes on.

      Vectors go into a folder, or by --store into a collection of a Chroma server, http://HOST:PORT/COLLECTION, whose token, if it asks \
      for one, is the environment's CHROMA_API_KEY.
      """
  )

  @Argument(help: "A folder of pictures, or a file that lists pictures or texts.")
  var items: String

  @Option(help: "The model's folder.", completion: .directory)
  var model: String

  @Option(help: "The index's folder; made if it is not there.", completion: .directory)
  var into: String?

  @Option(help: ArgumentHelp("A collection of a Chroma server instead.", valueName: "url"))
  var store: String?

  /// What searches are accelerated by.
  enum Acceleration: String, CaseIterable, ExpressibleByArgument {
    case hnsw
    case ivfPQ = "ivf-pq"
    case none
  }

  @Option(
    help: """
      What searches of the folder are accelerated by, from now on: a graph of neighbours, lists of codes (smaller, from 256 pictures or \
      texts on), or nothing, which is exact.
      """
  )
  var accelerate: Acceleration?

  @OptionGroup var computer: DeviceOptions

  @Flag(help: "The file lists texts.")
  var texts = false

  @Flag(help: "Remove from the index what is not among the pictures or texts.")
  var removeMissing = false

  @Flag(help: "Print what became of them as JSON; progress goes to standard error.")
  var json = false

  func validate() throws {
    guard (into == nil) != (store == nil) else {
      throw ValidationError("Say where vectors go: either --into a folder, or --store")
    }
    if store != nil, accelerate != nil {
      throw ValidationError("A server accelerates by itself: --accelerate is for folders")
    }
  }

  private var target: StoreOfVectors {
    store.map { .server(address: $0) } ?? .folder(FilePath(into ?? ""))
  }

  /// What the folder is to be accelerated by.
  private var acceleration: FaissAcceleration? {
    switch accelerate {
    case .hnsw: .hnsw()
    case .ivfPQ: .ivfPQ()
    case .some(.none): nil
    case nil: target.acceleration
    }
  }

  func run() async throws {
    try await reportingErrors(asJSON: json) {
      let session = RetrievalSession(json: json)
      let device = try computer.device()
      let (source, folder) = (FilePath(items), FilePath(model))
      let (target, acceleration) = (target, acceleration)
      let isExact = accelerate == Optional(Acceleration.none)
      let (texts, removes) = (texts, removeMissing)
      let report = try await session.computing {
        let model = try RetrievalModel(contentsOf: folder, on: device)
        let index = try await target.open(for: model, .writing, acceleration: acceleration)
        if case .folder(let path) = target {
          try ModelOfIndex(index: path).note(folder.string)
        }
        let show: (IndexingReport) -> Void = { session.output.status(Self.text($0)) }
        let report =
          if texts {
            try await TextIndexer(model).index(
              ListedText.all(in: source),
              into: index,
              removesOthers: removes,
              progress: show
            )
          } else {
            try await PictureIndexer(model).index(
              ListedPicture.all(in: source),
              into: index,
              removesOthers: removes,
              progress: show
            )
          }
        if let index = index as? VectorIndex {
          if isExact { try await index.removeAcceleration() }
          if acceleration != nil { try await index.accelerate() }
        }
        return report
      }
      session.output.clear()
      for skipped in report.skipped {
        FileHandle.standardError.write(Data("tessera: left out: \(skipped.reason)\n".utf8))
      }
      if json {
        print(try PrintedJSON.of(Summary(report)))
      } else {
        session.output.line(
          """
          \(store ?? into ?? ""): \(grouped(report.added)) added, \(grouped(report.updated)) updated, \(grouped(report.unchanged)) unchanged, \
          \(grouped(report.removed)) removed, \(grouped(report.skipped.count)) left out
          """
        )
      }
      if !report.skipped.isEmpty { throw ExitCode(1) }
    }
  }

  private static func text(_ report: IndexingReport) -> String {
    let left = report.secondsLeft.map { $0 >= 1 ? "  \(TimeLeft.text($0)) left" : "" } ?? ""
    return "  \(grouped(report.done))/\(grouped(report.total))\(left)"
  }

  private struct Summary: Encodable {
    struct Skipped: Encodable {
      var id: String
      var reason: String
    }

    var added: Int
    var updated: Int
    var unchanged: Int
    var removed: Int
    var skipped: [Skipped]

    init(_ report: IndexingReport) {
      added = report.added
      updated = report.updated
      unchanged = report.unchanged
      removed = report.removed
      skipped = report.skipped.map { Skipped(id: $0.id, reason: $0.reason) }
    }
  }
}
