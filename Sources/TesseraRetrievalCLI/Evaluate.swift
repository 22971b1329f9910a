public import ArgumentParser
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
      mean of Recall@1, 5 and 10 both ways; the interval is that of 95 % of redrawn languages and things. Beside it stands how often a \
      text's nearest one in English says the same (P@1), and how well translations are mined (F1). With the benchmark, Tux Paint's stamps and \
      Art4Apps' drawings are measured, too, where they are on the machine.
      """
  )

  @Argument(help: "The model's folder.", completion: .directory)
  var model: String

  @Argument(help: "The data set's folder, 'emoji' or 'emoji+names'.", completion: .directory)
  var data: String

  @Option(help: "Whose concepts are held out: 'dev' to choose settings by, 'test' to report.")
  var split: DatasetSplit = .test

  @OptionGroup var computer: DeviceOptions

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
      let device = try computer.device()
      let dataset = try await session.dataset(data)
      let (folder, split, isBenchmark) = (
        FilePath(model), split, RetrievalSession.isBenchmark(data)
      )
      let summaries = try await session.computing {
        let model = try RetrievalModel(contentsOf: folder, on: device)
        var summaries = try Self.measure(
          model,
          dataset,
          session.tracks(of: dataset, split: split),
          session
        )
        for other in isBenchmark ? try session.otherCollections() : [] {
          summaries += try Self.measure(
            model,
            other,
            session.tracks(of: other, split: split),
            session
          )
        }
        return summaries
      }
      session.output.clear()
      guard !summaries.isEmpty else {
        throw RetrievalError(
          code: .invalidArgument,
          message: "\(data) has no pictures with captions to measure by"
        )
      }
      if json { return print(try PrintedJSON.of(summaries)) }
      for summary in summaries { summary.show(on: session.output) }
    }
  }

  private static func measure(
    _ model: RetrievalModel,
    _ dataset: RetrievalDataset,
    _ tracks: [RetrievalTrack],
    _ session: RetrievalSession
  ) throws -> [EvaluationSummary] {
    try tracks.filter { !$0.concepts.isEmpty && !$0.languages.isEmpty }.compactMap { track in
      let result = try TrackResult(of: model, on: dataset, track) { done, of in
        try Task.checkCancellation()
        session.output.status("\(track.name)  \(done)/\(of) languages")
      }
      guard !result.languages.isEmpty else { return nil }
      let translations = try TranslationScore.all(of: model, on: dataset, track) { done, of in
        try Task.checkCancellation()
        session.output.status("\(track.name), translations  \(done)/\(of) languages")
      }
      return EvaluationSummary(result, translations, dataset.description.languages)
    }
  }
}

extension DatasetSplit: ExpressibleByArgument {}
