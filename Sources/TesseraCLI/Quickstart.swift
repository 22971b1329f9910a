internal import ArgumentParser
internal import Foundation
internal import SystemPackage
internal import TesseraFederation
internal import TesseraRun

struct Quickstart: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Trains a classifier on real images that stay at their sites, and compares.",
    discussion: """
      Fashion-MNIST is divided unevenly among the sites. They train together by federated averaging; \
      then each trains alone, and one model trains on all images in one place. The run's folder \
      holds a report, the model and everything needed to repeat the run. Ctrl-C stops it; \
      'tessera resume' goes on.
      """
  )

  @Option(help: ArgumentHelp("How many sites the images are divided among.", valueName: "1...1000"))
  var sites: Limited<SiteLimit> = .init(8)

  @Option(help: ArgumentHelp("How many rounds to train.", valueName: "1...10000"))
  var rounds: Limited<RoundLimit> = .init(16)

  @Option(
    help: ArgumentHelp(
      "How even the division is: small is uneven, 100 is nearly even.",
      valueName: "0.01...1000"
    )
  )
  var alpha: Limited<AlphaLimit> = .init(0.5)

  @Option(
    help: ArgumentHelp(
      "How many threads compute; the result does not depend on it. All cores if not given.",
      valueName: "1...256"
    )
  )
  var lanes: Limited<LaneLimit>?

  @Option(help: ArgumentHelp("What all random numbers derive from.", valueName: "number"))
  var seed: Limited<SeedLimit> = .init(1)

  @Option(
    help: ArgumentHelp("How often a site uses each image in a round.", valueName: "1...1000")
  )
  var epochs: Limited<EpochLimit> = .init(1)

  @Option(help: ArgumentHelp("How many images a training step uses.", valueName: "1...10000"))
  var batch: Limited<BatchLimit> = .init(64)

  @Option(help: "The run's folder; a new one under runs/ if not given.")
  var output: String?

  @Option(help: "The folder of Fashion-MNIST's files.")
  var data: String?

  func run() async throws {
    try await Session.reportingErrors {
      let session = Session()
      session.output.line("Reading Fashion-MNIST …")
      var configuration = ImageExperiment.Configuration(
        sites: Int(sites.value),
        rounds: Int(rounds.value),
        alpha: alpha.value,
        epochs: Int(epochs.value),
        batch: Int(batch.value),
        seed: UInt64(seed.value),
        lanes: lanes.map { Int($0.value) }
      )
      if let data { configuration.dataFolder = FilePath(data) }
      let experiment = try ImageExperiment(configuration)
      let folder =
        output.map { FilePath($0) }
        ?? RunRecord.freshName(for: "quickstart", in: "runs", at: Date())
      let record = try RunRecord.create(at: folder, experiment.newManifest())
      try await session.run(experiment, in: record)
    }
  }
}
