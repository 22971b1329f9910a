internal import Foundation
internal import SystemPackage
internal import TesseraCore
internal import TesseraData
internal import TesseraNN
public import TesseraRun

/// Federated training of an image classifier, compared with training at single sites and with all data in one place.
///
///     let experiment = try ImageExperiment(.init(sites: 8, rounds: 12))
///     let record = try RunRecord.create(at: "runs/first", experiment.newManifest())
///     let manifest = try await experiment.run(in: record)
///
/// The same configuration gives the same bits, on any number of lanes, and whether or not the run was interrupted.
public struct ImageExperiment: Experiment {
  /// The settings.
  public let configuration: Configuration
  let training: ClassifierTraining
  let test: LabelledImages
  let partition: [[Int]]
  let sites: [Site]
  let pool: LanePool
  let key: RandomKey

  /// The step size of SGD in the first round and in the last, with half a cosine between them.
  static let learningRates = (first: 0.08, last: 0.01)

  /// Reads the data and divides it.
  ///
  /// - Parameters:
  ///   - configuration: The settings.
  ///   - progress: Is called while single images are read, with how many are read and how many there are.
  /// - Throws: `DataError` if files are missing or damaged, or cannot be divided so; ``FederationError`` if a setting is
  ///   outside what is allowed.
  public init(
    _ configuration: Configuration,
    progress: (_ read: Int, _ of: Int) -> Void = { _, _ in }
  ) throws {
    try configuration.validate()
    self.configuration = configuration
    key = RandomKey(seed: configuration.seed)
    let train = try LabelledImages.load(
      .train,
      from: configuration.dataFolder,
      progress: progress
    )
    test = try LabelledImages.load(.test, from: configuration.dataFolder, progress: progress)
    let shape = train.images.shape
    guard test.images.shape.dropFirst() == shape.dropFirst(), test.classNames == train.classNames,
      shape[2] == shape[3], shape[2] >= 4
    else {
      throw DataError(
        code: .malformedFile,
        message: """
          \(configuration.dataFolder): images for training \(shape.dropFirst()) and for testing \
          \(test.images.shape.dropFirst()) must be squares of one size, with the same classes
          """
      )
    }
    let classes = train.classNames.count
    partition = try configuration.makePartition().indices(
      labels: train.labelList,
      sites: configuration.sites,
      key: key["partition"]
    )
    sites = partition.enumerated().map {
      Site(index: $0.offset, name: "site-\($0.offset + 1)", exampleCount: $0.element.count)
    }
    training = ClassifierTraining(
      dataset: train,
      batchSize: configuration.batch,
      learningRate: .cosine(
        from: Self.learningRates.first,
        to: Self.learningRates.last,
        over: max(configuration.rounds - 1, 1)
      ),
      transforms: configuration.augments
        ? [RandomCrop(padding: max(1, shape[2] / 14)), RandomHorizontalFlip()] : []
    ) { try ImageClassifier(channels: shape[1], size: shape[2], classes: classes, using: $0) }
    pool = LanePool(lanes: configuration.lanes)
  }

  /// The first contents of `run.json`.
  public func newManifest() throws -> RunManifest {
    var manifest = RunManifest(
      kind: "quickstart",
      configuration: configuration.fields.merging(recipe) { $1 },
      seed: configuration.seed,
      versions: Versions.current,
      started: Date().ISO8601Format()
    )
    manifest.classNames = training.dataset.classNames
    manifest.datasets = try [training.dataset, test].map { dataset in
      RunManifest.Dataset(
        name: dataset.name,
        examples: dataset.count,
        files: dataset.files.count,
        digest: try Digest.sha256(ofFiles: dataset.files, in: configuration.dataFolder)
      )
    }
    manifest.sites = zip(sites, partition).map { site, indices in
      RunManifest.Site(
        name: site.name,
        examples: site.exampleCount,
        labelCounts: training.dataset.labelCounts(of: indices)
      )
    }
    manifest.trainings = configuration.algorithms.map {
      .init(name: $0.rawValue, title: $0.title, settings: $0.settings)
    }
    manifest.initialModel = try Digest.sha256(of: training.initialState(key: key)).model
    return manifest
  }

  /// The names of the network's tensors.
  public func tensorNames() throws -> [String] { try training.initialState(key: key).names }

  /// What no option sets, but a result depends on: a version of Tessera that changes it says so when it verifies.
  private var recipe: [String: String] {
    [
      "network": "ImageClassifier", "optimizer": "SGD",
      "learning rate": "\(Self.learningRates.first) to \(Self.learningRates.last)",
      "momentum": "\(training.momentum)", "gradient norm": "\(training.gradientNorm)",
    ]
  }

  /// How many images the sites use in so many rounds together; about, if only a fraction of them is asked in each.
  public func imagesOfFederation(rounds: Int) -> Int {
    let share = Double(configuration.sitesPerRound) / Double(configuration.sites)
    return Int(share * Double(rounds * configuration.epochs * training.dataset.count))
  }

  /// How many images each of the trainings uses that the federation is compared with, by name: those at the sites alone, and
  /// the one with all data in one place.
  public func imagesOfComparisons(rounds: Int) -> [String: Int] {
    let all = (name: Self.centralName, count: training.dataset.count)
    let parts = [all] + sites.map { (name: $0.name, count: $0.exampleCount) }
    return Dictionary(
      uniqueKeysWithValues: parts.map { ($0.name, $0.count * rounds * configuration.epochs) }
    )
  }
}
