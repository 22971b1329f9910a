internal import ArgumentParser
internal import Foundation
internal import SystemPackage
internal import TesseraCommandLine
internal import TesseraRetrieval
internal import TesseraRun

struct Train: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Trains a model on pictures with texts, and on translations.",
    discussion: """
      The file says what is trained on what, and how; docs/retrieval.md lists its keys. The run's folder holds the model, what it \
      achieves in each language, and everything needed to repeat the run. Ctrl-C stops it; the same command with --output goes on.
      """
  )

  @Argument(help: "What is trained, and how.", completion: .file(extensions: ["yml", "yaml"]))
  var config: String

  @Option(
    help: ArgumentHelp(
      "The run's folder; one that was interrupted is gone on with. A new one under runs/ if not given.",
      valueName: "folder"
    ),
    completion: .directory
  )
  var output: String?

  @Option(
    help: ArgumentHelp("How many threads compute; all cores if not given.", valueName: "count")
  )
  var threads: Int?

  func validate() throws {
    if let threads, !(1...1024).contains(threads) {
      throw ValidationError("The value '\(threads)' is invalid for '--threads <1...1024>'")
    }
  }

  func run() async throws {
    try await reportingErrors {
      let plan = try RetrievalPlan(contentsOf: FilePath(config))
      let session = RetrievalSession()
      let dataset = try session.dataset(plan.data)
      let experiment = try RetrievalExperiment(plan, dataset)
      try await session.run(experiment, in: output, threads: threads)
    }
  }
}
