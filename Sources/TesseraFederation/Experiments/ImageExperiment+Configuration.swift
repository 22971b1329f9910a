internal import Foundation
public import SystemPackage
internal import TesseraCore
public import TesseraData
public import TesseraRun

extension ImageExperiment {
  /// What an experiment is made of.
  public struct Configuration: Sendable, Hashable {
    /// How many sites the images are divided among.
    public var sites: Int
    /// How many rounds there are at most.
    public var rounds: Int
    /// How the images are divided.
    public var division: Division
    /// The concentration of divisions by a Dirichlet distribution; small is uneven.
    public var alpha: Double
    /// How many shards a site gets when images are divided by shards.
    public var shards: Int
    /// The share of the sites that is asked in each round.
    public var fraction: Double
    /// How many sites must give a usable update in each round.
    public var minimumSites: Int
    /// The accuracy, in `0...1`, at which the run ends early.
    public var targetAccuracy: Double?
    /// How often a site uses each of its images in a round.
    public var epochs: Int
    /// How many images a step uses.
    public var batch: Int
    /// Whether images are moved and mirrored at random.
    public var augments: Bool
    /// What all random numbers derive from.
    public var seed: UInt64
    /// How many threads compute; has no influence on results.
    public var lanes: Int
    /// Where the images are, as `LabelledImages.load(_:from:)` reads them.
    public var dataFolder: FilePath

    /// Settings; quickstart's where none are given.
    public init(
      sites: Int = 8,
      rounds: Int = 20,
      division: Division = .dirichlet,
      alpha: Double = 0.5,
      shards: Int = 2,
      fraction: Double = 1,
      minimumSites: Int = 1,
      targetAccuracy: Double? = nil,
      epochs: Int = 1,
      batch: Int = 64,
      augments: Bool = false,
      seed: UInt64 = 1,
      lanes: Int? = nil,
      dataFolder: FilePath = FashionMNIST.debianFolder
    ) {
      self.sites = sites
      self.rounds = rounds
      self.division = division
      self.alpha = alpha
      self.shards = shards
      self.fraction = fraction
      self.minimumSites = minimumSites
      self.targetAccuracy = targetAccuracy
      self.epochs = epochs
      self.batch = batch
      self.augments = augments
      self.seed = seed
      self.lanes = lanes ?? ProcessInfo.processInfo.activeProcessorCount
      self.dataFolder = dataFolder
    }

    /// The division, with its settings.
    func makePartition() -> any Partition {
      switch division {
      case .dirichlet: .dirichlet(alpha)
      case .iid: .iid
      case .shards: .labelShards(shards)
      case .quantity: .quantity(alpha)
      }
    }
  }

  /// How images are divided among sites.
  public enum Division: String, Sendable, Hashable, CaseIterable {
    /// Each class by proportions from a Dirichlet distribution.
    case dirichlet
    /// An even share of everything for every site.
    case iid
    /// A few shards of images sorted by class.
    case shards
    /// The same mixture everywhere, in amounts from a Dirichlet distribution.
    case quantity
  }

  /// The configuration that a record was made with.
  ///
  /// - Parameters:
  ///   - manifest: What is recorded.
  ///   - lanes: How many threads compute; all cores if `nil`.
  /// - Returns: The settings, as the experiment was made with them.
  /// - Throws: ``RunError`` naming the field that is missing or wrong.
  public static func configuration(
    of manifest: RunManifest,
    lanes: Int? = nil
  ) throws -> Configuration {
    func field<Value>(_ name: String, _ read: (String) -> Value?) throws -> Value {
      guard let text = manifest.configuration[name], let value = read(text) else {
        throw RunError(
          code: .malformedRecord,
          message: "run.json: the field 'configuration.\(name)' is missing or not what it must be"
        )
      }
      return value
    }
    func count(_ name: String) throws -> Int {
      // Beyond any use, and far from where sums would overflow.
      try field(name) { Int($0).flatMap { (0...1_000_000_000).contains($0) ? $0 : nil } }
    }
    return Configuration(
      sites: try count("sites"),
      rounds: try count("rounds"),
      division: try field("division", Division.init),
      alpha: try field("alpha", Double.init),
      shards: try count("shards"),
      fraction: try field("fraction", Double.init),
      minimumSites: try count("minimum sites"),
      targetAccuracy: try manifest.configuration["target accuracy"].map { _ in
        try field("target accuracy", Double.init)
      },
      epochs: try count("epochs"),
      batch: try count("batch"),
      augments: try field("augments", Bool.init),
      seed: manifest.seed,
      lanes: lanes,
      dataFolder: FilePath(try field("data") { $0 })
    )
  }
}

extension ImageExperiment.Configuration {
  /// The settings by name, as `run.json` has them.
  var fields: [String: String] {
    var fields = [
      "sites": "\(sites)", "rounds": "\(rounds)", "division": division.rawValue,
      "alpha": "\(alpha)", "shards": "\(shards)", "fraction": "\(fraction)",
      "minimum sites": "\(minimumSites)", "epochs": "\(epochs)", "batch": "\(batch)",
      "augments": "\(augments)", "lanes": "\(lanes)", "data": dataFolder.string,
    ]
    if let targetAccuracy { fields["target accuracy"] = "\(targetAccuracy)" }
    return fields
  }
}
