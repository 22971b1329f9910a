internal import ArgumentParser
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

  @OptionGroup var target: RunTarget

  func run() async throws {
    try await reportingErrors {
      let plan = try RetrievalPlan(contentsOf: FilePath(config))
      let session = RetrievalSession()
      let dataset = try await session.dataset(plan.data)
      let experiment = try await session.computing { try RetrievalExperiment(plan, dataset) }
      let (record, _) = try await session.run(
        experiment,
        in: target.output,
        threads: target.threads
      )
      session.output.line(
        "\nReport: \(record.reportFile). The models are in \(record.folder)/models."
      )
    }
  }
}

/// Where a run is recorded, and on how many threads it computes.
struct RunTarget: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The run's folder; one that was interrupted is gone on with. A new one under runs/ if not given.",
      valueName: "folder"
    ),
    completion: .directory
  )
  var output: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("How many threads compute; all cores if not given.", valueName: "1...1024")
  )
  var threads: Int?

  func validate() throws {
    if let threads, !(1...1024).contains(threads) {
      throw ValidationError("The value '\(threads)' is invalid for '--threads <1...1024>'")
    }
    if output == "" {
      throw ValidationError("The value '' is invalid for '--output <folder>': name a folder")
    }
  }
}
