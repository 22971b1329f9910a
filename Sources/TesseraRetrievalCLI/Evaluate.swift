public import ArgumentParser
internal import Foundation
internal import SystemPackage
internal import TesseraCommandLine
internal import TesseraCore
public import TesseraRetrieval
internal import TesseraRun

struct Evaluate: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract:
      "Measures how well a model's pictures and texts find one another, language by language.",
    discussion: """
      A data set with held-out concepts is measured on three tracks: unseen captions in under-resourced languages, captions that were \
      only ever seen as translations (the bridge), and well-resourced languages. One without is measured as a whole. Mean recall is the \
      mean of Recall@1, 5 and 10 both ways.
      """
  )

  @Argument(help: "The model's folder.", completion: .directory)
  var model: String

  @Argument(help: "The data set's folder, or 'emoji'.", completion: .directory)
  var data: String

  @Option(help: "Whose concepts are held out: 'dev' to choose settings by, 'test' to report.")
  var split: DatasetSplit = .test

  @Flag(help: "Print the result as JSON; progress goes to standard error.")
  var json = false

  func validate() throws {
    guard split != .train else {
      throw ValidationError("The value 'train' is invalid for '--split <dev|test>'")
    }
  }

  func run() async throws {
    try await reportingErrors(asJSON: json) {
      let session = RetrievalSession(json: json)
      let dataset = try await session.dataset(data == "emoji" ? nil : data)
      let (model, split) = (FilePath(model), split)
      let results = try await session.computing {
        let model = try RetrievalModel(contentsOf: model)
        return try session.tracks(of: dataset, split: split)
          .filter { !$0.concepts.isEmpty && !$0.languages.isEmpty }
          .map { track in
            try TrackResult(of: model, on: dataset, track) { done, of in
              try Task.checkCancellation()
              session.output.status("\(track.name)  \(done)/\(of) languages")
            }
          }
          .filter { !$0.languages.isEmpty }
      }
      session.output.clear()
      guard !results.isEmpty else {
        throw RetrievalError(
          code: .invalidArgument,
          message: "\(data) has no pictures with captions to measure by"
        )
      }
      if json { return print(try PrintedJSON.of(results.map(Summary.init))) }
      for result in results { show(result, session.output) }
    }
  }

  private func show(_ result: TrackResult, _ output: ProgressOutput) {
    func percent(_ value: Double) -> String { String(format: "%5.1f", value * 100) }
    output.line("")
    output.line("\(result.track): mean recall \(percent(result.meanRecall)) %")
    output.line(
      "  language   text → picture @1    @5   @10   picture → text @1    @5   @10    mean   nDCG@10"
    )
    for (language, score) in result.languages.sorted(by: { $0.key < $1.key }) {
      let (to, from) = (score.textToPicture, score.pictureToText)
      output.line(
        """
          \(language.padding(toLength: 10, withPad: " ", startingAt: 0))            \
        \(percent(to.at1)) \(percent(to.at5)) \(percent(to.at10))            \
        \(percent(from.at1)) \(percent(from.at5)) \(percent(from.at10))   \
        \(percent(score.meanRecall))     \(percent(score.gainAtTen))
        """
      )
    }
  }

  /// A track for programs.
  struct Summary: Encodable {
    var track: String
    var meanRecall: Double
    var gainAtTen: Double
    var languages: [String: Language]

    struct Language: Encodable {
      var textToPicture: RetrievalScore.Recalls
      var pictureToText: RetrievalScore.Recalls
      var meanRecall: Double
      var gainAtTen: Double
    }

    init(_ result: TrackResult) {
      track = result.track
      meanRecall = result.meanRecall
      gainAtTen = result.gainAtTen
      languages = result.languages.mapValues { score in
        Language(
          textToPicture: score.textToPicture,
          pictureToText: score.pictureToText,
          meanRecall: score.meanRecall,
          gainAtTen: score.gainAtTen
        )
      }
    }
  }
}

extension DatasetSplit: ExpressibleByArgument {}
