internal import ArgumentParser
internal import Foundation
internal import SystemPackage
internal import TesseraCommandLine
internal import TesseraRetrieval
internal import TesseraRun

struct Index: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Puts pictures or texts into an index, to be searched.",
    discussion: """
      Pictures are the PNG and JPEG files of a folder, or what a .csv or .jsonl file lists: 'path', perhaps 'id', and anything else that \
      is to be shown or filtered by. With --texts, a .csv or .jsonl file has 'text' instead, and any other file a text a line. What is in \
      the index already and has not changed is left alone, so a command that was stopped goes on when it is given again. What cannot be \
      read is named, and the rest goes on.
      """
  )

  @Argument(help: "A folder of pictures, or a file that lists pictures or texts.")
  var items: String

  @Option(help: "The model's folder.", completion: .directory)
  var model: String

  @Option(help: "The index's folder; made if it is not there.", completion: .directory)
  var into: String

  @Flag(help: "The file lists texts.")
  var texts = false

  @Flag(help: "Remove from the index what is not among the pictures or texts.")
  var removeMissing = false

  @Flag(help: "Print what became of them as JSON; progress goes to standard error.")
  var json = false

  func run() async throws {
    try await reportingErrors(asJSON: json) {
      let session = RetrievalSession(json: json)
      let (source, folder, target) = (FilePath(items), FilePath(model), FilePath(into))
      let (texts, removes) = (texts, removeMissing)
      let note = ModelOfIndex(index: target)
      let report = try await session.computing {
        let model = try RetrievalModel(contentsOf: folder)
        let index = try VectorIndex(
          target,
          model: model.digest,
          dimension: model.encoder.configuration.dimension
        )
        try note.note(folder.string)
        let show: (IndexingReport) -> Void = { session.output.status(Self.text($0)) }
        if texts {
          return try await TextIndexer(model).index(
            ListedText.all(in: source),
            into: index,
            removesOthers: removes,
            progress: show
          )
        }
        return try await PictureIndexer(model).index(
          ListedPicture.all(in: source),
          into: index,
          removesOthers: removes,
          progress: show
        )
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
          \(into): \(grouped(report.added)) added, \(grouped(report.updated)) updated, \(grouped(report.unchanged)) unchanged, \
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
