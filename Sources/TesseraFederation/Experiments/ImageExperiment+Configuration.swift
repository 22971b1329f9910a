internal import Foundation
public import SystemPackage
public import TesseraData
public import TesseraRun

extension ImageExperiment {
  /// What an experiment is made of.
  public struct Configuration: Sendable, Hashable {
    /// The federated trainings, in the order in which they are run.
    public var algorithms: [Algorithm]
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
    /// Where the images are, as `LabelledImages.load(_:from:)` reads them; an absolute path.
    public let dataFolder: FilePath

    /// Settings; quickstart's where none are given.
    public init(
      algorithms: [Algorithm] = Algorithm.allCases,
      sites: Int = 8,
      rounds: Int = 25,
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
      self.algorithms = algorithms
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
      // Found again from wherever the run is resumed or verified, and named alike by `.` and by its path.
      self.dataFolder = FilePath(FileManager.default.currentDirectoryPath)
        .pushing(dataFolder).lexicallyNormalized()
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
}

extension ImageExperiment.Configuration {
  /// What settings may be.
  ///
  /// A step of the largest batch ends within a second, and with it a run that is stopped.
  public enum Limits {
    /// How many sites there may be.
    public static let sites = 1...1000
    /// How many rounds.
    public static let rounds = 1...10_000
    /// How even a division.
    public static let alpha = 0.01...1000.0
    /// How many shards for each site.
    public static let shards = 1...1000
    /// The share of the sites that is asked.
    public static let fraction = 0.001...1.0
    /// The accuracy at which to end.
    public static let targetAccuracy = 0.01...1.0
    /// How often each image is used in a round.
    public static let epochs = 1...1000
    /// How many images in a step.
    public static let batch = 1...2048
    /// How many threads.
    public static let lanes = 1...256
    /// Seeds; larger ones would not survive as JSON's numbers.
    public static let seed = 0...(1 << 53)
  }

  /// How many sites are asked in each round: the ``fraction`` of them, at least one.
  public var sitesPerRound: Int { SiteSample.count(of: sites, fraction: fraction) }

  /// Refuses settings that no experiment can have.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``, naming the setting, its value
  ///   and what is allowed.
  public func validate() throws {
    func check<Value: Comparable>(
      _ name: String,
      _ value: Value,
      _ allowed: ClosedRange<Value>
    ) throws {
      guard !allowed.contains(value) else { return }
      throw FederationError(
        code: .invalidConfiguration,
        message: "the setting '\(name)' must be in \(allowed), not \(value)"
      )
    }
    guard !algorithms.isEmpty, Set(algorithms).count == algorithms.count else {
      throw FederationError(
        code: .invalidConfiguration,
        message: "the setting 'algorithms' must name one or several, each once"
      )
    }
    try check("sites", sites, Limits.sites)
    try check("rounds", rounds, Limits.rounds)
    try check("alpha", alpha, Limits.alpha)
    try check("shards", shards, Limits.shards)
    try check("fraction", fraction, Limits.fraction)
    try check("minimum sites", minimumSites, 1...sitesPerRound)
    if let targetAccuracy { try check("target accuracy", targetAccuracy, Limits.targetAccuracy) }
    try check("epochs", epochs, Limits.epochs)
    try check("batch", batch, Limits.batch)
    try check("lanes", lanes, Limits.lanes)
    try check("seed", seed, 0...UInt64(Limits.seed.upperBound))
  }

  /// The settings that a record was made with.
  ///
  /// - Parameters:
  ///   - manifest: What is recorded.
  ///   - lanes: How many threads compute; all cores if `nil`.
  /// - Throws: ``RunError`` naming the field that is missing or wrong.
  public init(of manifest: RunManifest, lanes: Int? = nil) throws {
    func malformed(_ reason: String) -> RunError {
      RunError(code: .malformedRecord, message: "run.json: \(reason)")
    }
    func field<Value>(_ name: String, _ read: (String) -> Value?) throws -> Value {
      guard let text = manifest.configuration[name], let value = read(text) else {
        throw malformed("the field 'configuration.\(name)' is missing or not what it must be")
      }
      return value
    }
    func count(_ name: String) throws -> Int { try field(name) { Int($0) } }
    self.init(
      algorithms: try manifest.trainings.map { training in
        guard let algorithm = ImageExperiment.Algorithm(rawValue: training.name) else {
          throw malformed("the training '\(training.name)' is unknown")
        }
        return algorithm
      },
      sites: try count("sites"),
      rounds: try count("rounds"),
      division: try field("division", ImageExperiment.Division.init),
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
    do {
      try validate()
    } catch {
      throw malformed("\(error)")
    }
  }

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
