internal import Foundation
public import SystemPackage
internal import TesseraCore
public import TesseraData
internal import TesseraNN
public import TesseraRun

/// Federated training of an image classifier, compared with training at single sites and with all data in one place.
///
///     let experiment = try ImageExperiment(.init(sites: 8, rounds: 12))
///     let record = try RunRecord.create(at: "runs/first", experiment.newManifest())
///     let manifest = try await experiment.run(in: record)
///
/// The same configuration gives the same bits, on any number of lanes, and whether or not the run was interrupted.
public struct ImageExperiment: Sendable {
  /// The settings.
  public let configuration: Configuration
  let training: ClassifierTraining
  let test: LabelledImages
  let partition: [[Int]]
  let sites: [Site]
  let pool: LanePool
  let key: RandomKey

  /// What an experiment is made of.
  public struct Configuration: Sendable, Equatable {
    /// How many sites the images are divided among.
    public var sites: Int
    /// How many rounds there are.
    public var rounds: Int
    /// The concentration of the Dirichlet division; small is uneven.
    public var alpha: Double
    /// How often a site uses each of its images in a round.
    public var epochs: Int
    /// How many images a step uses.
    public var batch: Int
    /// What all random numbers derive from.
    public var seed: UInt64
    /// How many threads compute; has no influence on results.
    public var lanes: Int
    /// Where Fashion-MNIST's files are.
    public var dataFolder: FilePath

    /// Settings; quickstart's where none are given.
    public init(
      sites: Int = 8,
      rounds: Int = 16,
      alpha: Double = 0.5,
      epochs: Int = 1,
      batch: Int = 64,
      seed: UInt64 = 1,
      lanes: Int? = nil,
      dataFolder: FilePath = FashionMNIST.debianFolder
    ) {
      self.sites = sites
      self.rounds = rounds
      self.alpha = alpha
      self.epochs = epochs
      self.batch = batch
      self.seed = seed
      self.lanes = lanes ?? ProcessInfo.processInfo.activeProcessorCount
      self.dataFolder = dataFolder
    }
  }

  /// Reads the data and divides it.
  ///
  /// - Throws: ``DataError`` if files are missing or damaged, or cannot be divided so.
  public init(_ configuration: Configuration) throws {
    self.configuration = configuration
    key = RandomKey(seed: configuration.seed)
    let train = try FashionMNIST.load(.train, from: configuration.dataFolder)
    test = try FashionMNIST.load(.test, from: configuration.dataFolder)
    partition = try Dirichlet(alpha: configuration.alpha).indices(
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
      learningRate: .cosine(from: 0.06, to: 0.02, over: max(configuration.rounds - 1, 1))
    ) { try ImageClassifier(using: $0) }
    pool = LanePool(lanes: configuration.lanes)
  }

  /// The configuration that a record was made with.
  ///
  /// - Throws: ``RunError`` if the record is not of such an experiment.
  public static func configuration(
    of manifest: RunManifest,
    lanes: Int? = nil
  ) throws -> Configuration {
    func number<Number: LosslessStringConvertible>(_ name: String) throws -> Number {
      guard let text = manifest.configuration[name], let value = Number(text) else {
        throw RunError(
          code: .malformedRecord,
          message: "run.json: the field 'configuration.\(name)' is missing or not a number"
        )
      }
      return value
    }
    return Configuration(
      sites: try number("sites"),
      rounds: try number("rounds"),
      alpha: try number("alpha"),
      epochs: try number("epochs"),
      batch: try number("batch"),
      seed: manifest.seed,
      lanes: lanes,
      dataFolder: FilePath(manifest.configuration["data"] ?? FashionMNIST.debianFolder.string)
    )
  }

  /// The first contents of `run.json`.
  public func newManifest() throws -> RunManifest {
    var manifest = RunManifest(
      kind: "quickstart",
      configuration: [
        "sites": "\(configuration.sites)", "rounds": "\(configuration.rounds)",
        "alpha": "\(configuration.alpha)", "epochs": "\(configuration.epochs)",
        "batch": "\(configuration.batch)", "lanes": "\(configuration.lanes)",
        "data": configuration.dataFolder.string,
      ],
      seed: configuration.seed,
      versions: Versions.current,
      started: Date().ISO8601Format()
    )
    manifest.classNames = training.dataset.classNames
    manifest.datasets = try [training.dataset, test].map { dataset in
      RunManifest.Dataset(
        name: dataset.name,
        examples: dataset.count,
        files: Dictionary(
          uniqueKeysWithValues: try dataset.files.map {
            ($0.lastComponent?.string ?? "", try Digest.sha256(ofFile: $0))
          }
        )
      )
    }
    manifest.sites = zip(sites, partition).map { site, indices in
      RunManifest.Site(
        name: site.name,
        examples: site.exampleCount,
        labelCounts: training.dataset.labelCounts(of: indices)
      )
    }
    manifest.initialModel = try Digest.sha256(of: training.initialState(key: key)).model
    return manifest
  }

  /// How many images are trained on in all: by the federation, by the sites alone, and with all data in one place.
  public var plannedImages: Int {
    3 * configuration.rounds * configuration.epochs * training.dataset.count
  }
}
