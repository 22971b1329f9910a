public import ArgumentParser
internal import Foundation
internal import SystemPackage
internal import TesseraCommandLine
internal import TesseraData
public import TesseraFederation
internal import TesseraRun

struct Quickstart: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Trains a classifier on real images that stay at their sites, and compares.",
    discussion: """
      Fashion-MNIST is divided unevenly among the sites. They train together: by federated averaging, \
      with sites held near the global model (FedProx), with an optimiser on the server (FedOpt), and \
      by averaging what the server cannot read (homomorphic encryption). Then each trains alone, and \
      one model trains on all images in one place. The run's folder \
      holds a report, the model and everything needed to repeat the run. Ctrl-C stops it; \
      'tessera resume' goes on.
      """
  )

  @Option(
    help: ArgumentHelp(
      "Train together by this algorithm alone; may be given several times. All four if not given.",
      valueName: "algorithm"
    )
  )
  var only: [ImageExperiment.Algorithm] = []

  @Option(
    parsing: .unconditional,
    help: .limited("How many sites the images are divided among.", SiteLimit.self)
  )
  var sites: Limited<SiteLimit> = .init(8)

  @Option(parsing: .unconditional, help: .limited("How many rounds to train.", RoundLimit.self))
  var rounds: Limited<RoundLimit> = .init(25)

  @Option(parsing: .unconditional, help: "How the images are divided among the sites.")
  var partition: ImageExperiment.Division = .dirichlet

  @Option(
    parsing: .unconditional,
    help: .limited(
      "How even a division by 'dirichlet' or 'quantity' is: small is uneven, 100 is nearly even.",
      AlphaLimit.self
    )
  )
  var alpha: Limited<AlphaLimit> = .init(0.5)

  @Option(
    parsing: .unconditional,
    help: .limited("How many shards a site gets with 'shards'.", ShardLimit.self)
  )
  var shards: Limited<ShardLimit> = .init(2)

  @Option(
    parsing: .unconditional,
    help: .limited("The share of the sites that takes part in each round.", FractionLimit.self)
  )
  var fraction: Limited<FractionLimit> = .init(1)

  @Option(
    parsing: .unconditional,
    help: .limited("How many sites must give a usable update in each round.", SiteLimit.self)
  )
  var minimumSites: Limited<SiteLimit> = .init(1)

  @Option(
    name: [.long, .customLong("target-accuracy")],
    parsing: .unconditional,
    help: .limited(
      "The accuracy in percent at which training ends before its last round.",
      PercentLimit.self
    )
  )
  var target: Limited<PercentLimit>?

  @Flag(help: "Move and mirror images at random.")
  var augment = false

  @Option(
    parsing: .unconditional,
    help: .limited(
      "How many threads compute; the result does not depend on it. All cores if not given.",
      LaneLimit.self
    )
  )
  var lanes: Limited<LaneLimit>?

  @Option(
    parsing: .unconditional,
    help: .limited("What all random numbers derive from.", SeedLimit.self)
  )
  var seed: Limited<SeedLimit> = .init(1)

  @Option(
    parsing: .unconditional,
    help: .limited("How often a site uses each image in a round.", EpochLimit.self)
  )
  var epochs: Limited<EpochLimit> = .init(1)

  @Option(
    parsing: .unconditional,
    help: .limited("How many images a training step uses.", BatchLimit.self)
  )
  var batch: Limited<BatchLimit> = .init(64)

  @Option(
    help: ArgumentHelp(
      "The run's folder; a new one under runs/ if not given.",
      valueName: "folder"
    ),
    completion: .directory
  )
  var output: String?

  @Option(
    help: ArgumentHelp(
      """
      The images: IDX files as of Fashion-MNIST, CIFAR-10's binary files, or train/CLASS/ and \
      test/CLASS/ with PNG or JPEG files. Debian's Fashion-MNIST if not given.
      """,
      valueName: "folder"
    ),
    completion: .directory
  )
  var data: String?

  private var settings: ImageExperiment.Configuration {
    ImageExperiment.Configuration(
      algorithms: only.isEmpty
        ? ImageExperiment.Algorithm.allCases
        : ImageExperiment.Algorithm.allCases.filter(only.contains),
      sites: sites.value,
      rounds: rounds.value,
      division: partition,
      alpha: alpha.value,
      shards: shards.value,
      fraction: fraction.value,
      minimumSites: minimumSites.value,
      targetAccuracy: target.map { $0.value / 100 },
      epochs: epochs.value,
      batch: batch.value,
      augments: augment,
      seed: UInt64(seed.value),
      lanes: lanes?.value,
      dataFolder: data.map { FilePath($0) } ?? FashionMNIST.debianFolder
    )
  }

  func validate() throws {
    for (option, path) in [("output", output), ("data", data)] where path == "" {
      throw ValidationError("The value '' is invalid for '--\(option) <folder>': name a folder")
    }
    let asked = settings.sitesPerRound
    guard minimumSites.value <= asked else {
      throw ValidationError(
        """
        The value '\(minimumSites.value)' is invalid for '--minimum-sites <\(allowed(1...asked))>': \
        so many sites are asked in each round
        """
      )
    }
  }

  func run() async throws {
    try await reportingErrors {
      let session = Session()
      // Before the data are read: this takes no time.
      if let output { try RunRecord.checkIsFree(FilePath(output)) }
      let experiment = try makeExperiment(session)
      let manifest = try experiment.newManifest()
      let record =
        try output.map { try RunRecord.create(at: FilePath($0), manifest) }
        ?? RunRecord.create(in: "runs", at: Date(), manifest)
      try await session.run(experiment, in: record)
    }
  }

  private func makeExperiment(_ session: Session) throws -> ImageExperiment {
    do {
      return try session.reading(data ?? "Fashion-MNIST") {
        try ImageExperiment(settings, progress: $0)
      }
    } catch let error as DataError where error.code == .invalidArgument {
      // Which numbers of sites are allowed depends on the data.
      throw ValidationError(
        "The value '\(sites.value)' is invalid for '--sites' with these images: \(error)"
      )
    }
  }
}

extension ImageExperiment.Division: ExpressibleByArgument {}
extension ImageExperiment.Algorithm: ExpressibleByArgument {}
