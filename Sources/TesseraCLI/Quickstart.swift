public import ArgumentParser
internal import Foundation
internal import SystemPackage
public import TesseraFederation
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
  var rounds: Limited<RoundLimit> = .init(20)

  @Option(help: "How the images are divided among the sites.")
  var partition: ImageExperiment.Division = .dirichlet

  @Option(
    help: ArgumentHelp(
      "How even a division by 'dirichlet' or 'quantity' is: small is uneven, 100 is nearly even.",
      valueName: "0.01...1000"
    )
  )
  var alpha: Limited<AlphaLimit> = .init(0.5)

  @Option(
    help: ArgumentHelp("How many shards a site gets with 'shards'.", valueName: "1...1000")
  )
  var shards: Limited<ShardLimit> = .init(2)

  @Option(
    help: ArgumentHelp(
      "The share of the sites that takes part in each round.",
      valueName: "0.001...1"
    )
  )
  var fraction: Limited<FractionLimit> = .init(1)

  @Option(
    help: ArgumentHelp(
      "How many sites must give a usable update in each round.",
      valueName: "1...1000"
    )
  )
  var minimumSites: Limited<SiteLimit> = .init(1)

  @Option(
    help: ArgumentHelp(
      "The accuracy in percent at which training ends before its last round.",
      valueName: "1...100"
    )
  )
  var target: Limited<PercentLimit>?

  @Flag(help: "Move and mirror images at random.")
  var augment = false

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

  @Option(
    help: ArgumentHelp(
      """
      The images: IDX files as of Fashion-MNIST, CIFAR-10's binary files, or train/CLASS/ and \
      test/CLASS/ with PNG or JPEG files. Debian's Fashion-MNIST if not given.
      """,
      valueName: "folder"
    )
  )
  var data: String?

  func run() async throws {
    try await Session.reportingErrors {
      let session = Session()
      session.output.line("Reading \(data ?? "Fashion-MNIST") …")
      var configuration = ImageExperiment.Configuration(
        sites: Int(sites.value),
        rounds: Int(rounds.value),
        division: partition,
        alpha: alpha.value,
        shards: Int(shards.value),
        fraction: fraction.value,
        minimumSites: Int(minimumSites.value),
        targetAccuracy: target.map { $0.value / 100 },
        epochs: Int(epochs.value),
        batch: Int(batch.value),
        augments: augment,
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

extension ImageExperiment.Division: ExpressibleByArgument {}
