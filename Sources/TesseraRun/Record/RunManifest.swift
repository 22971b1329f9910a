/// What a run was and what it did: the contents of `run.json`, and what its journal adds.
///
/// Everything that a repetition needs and everything that it is compared by. Times are for people, and are not compared.
/// `run.json` is written when the run begins and when it ends; rounds and curves, which come one by one, are events of the
/// journal (``RunEvent``).
public struct RunManifest: Codable, Sendable, Equatable {
  /// The version of the format that this version of Tessera writes and reads.
  public static let currentFormat = 2
  /// The version of this format.
  public var format = RunManifest.currentFormat
  /// What was run: `quickstart`, `federation`.
  public var kind: String
  /// Where the run stands.
  public var status = Status.running
  /// Why it failed, if it did.
  public var message: String?
  /// The settings, by the names of the command's options.
  public var configuration: [String: String]
  /// What all random numbers derive from.
  public var seed: UInt64
  /// The versions that the run began with: of Tessera, LibTorch, Swift and the system, and the kind of processor.
  public var versions: [String: String]
  /// With which other versions it went on.
  public var laterVersions: [[String: String]] = []
  /// When the run began, in ISO 8601.
  public var started: String
  /// When it ended, in ISO 8601.
  public var finished: String?
  /// What it was trained and measured on.
  public var datasets: [Dataset] = []
  /// The SHA-256 digests of the files that came with a job whose sites start programs, by their places in its folder; `nil` if
  /// they were not noted.
  public var programs: [String: String]?
  /// What the classes are called.
  public var classNames: [String] = []
  /// Who took part.
  public var sites: [Site] = []
  /// The digest of the model that the first round started from.
  public var initialModel = ""
  /// The federated trainings, in the order in which they are run.
  public var trainings: [Training] = []
  /// Accuracies of what the trainings are compared with, by name: one per round; from the journal.
  public var curves: [String: [Double]] = [:]
  /// The final accuracies, best explained first.
  public var results: [Result] = []
  /// How long training took in all, in seconds, over all sessions.
  public var trainingSeconds = 0.0

  // What the journal has is not written to run.json.
  private enum CodingKeys: String, CodingKey {
    case format, kind, status, message, configuration, seed, versions, started, finished
    case datasets, programs, classNames, sites, initialModel, trainings, results, trainingSeconds
  }

  /// Where a run stands.
  public enum Status: String, Codable, Sendable {
    /// Under way, or killed.
    case running
    /// Stopped by its user; it can be resumed.
    case interrupted
    /// Done.
    case finished
    /// Ended by an error.
    case failed
  }

  /// A data set that was used.
  public struct Dataset: Codable, Sendable, Equatable {
    /// What it is called.
    public var name: String
    /// How many examples it has.
    public var examples: Int
    /// How many files it was read from.
    public var files: Int
    /// What `sha256sum FILES | sha256sum` prints in its folder, the files in the order of their names.
    public var digest: String

    /// Makes an entry.
    public init(name: String, examples: Int, files: Int, digest: String) {
      self.name = name
      self.examples = examples
      self.files = files
      self.digest = digest
    }
  }

  /// A site that took part.
  public struct Site: Codable, Sendable, Equatable {
    /// Its name.
    public var name: String
    /// How many examples it has.
    public var examples: Int
    /// How many of each class.
    public var labelCounts: [Int]

    /// Makes an entry.
    public init(name: String, examples: Int, labelCounts: [Int]) {
      self.name = name
      self.examples = examples
      self.labelCounts = labelCounts
    }
  }

  /// A federated training: one model, round by round.
  public struct Training: Codable, Sendable, Equatable {
    /// What it is called, in files and commands: `fedavg`.
    public var name: String
    /// What it is called in reports.
    public var title: String
    /// The settings that it has of its own.
    public var settings: [String: String]
    /// The SHA-256 of its model's file, once that is written.
    public var modelDigest: String?
    /// The rounds that are done, in order; from the journal.
    public var rounds: [Round] = []
    /// Whether all its rounds are done; from the journal.
    public var isFinished = false

    private enum CodingKeys: String, CodingKey { case name, title, settings, modelDigest }

    /// Makes an entry.
    public init(name: String, title: String, settings: [String: String] = [:]) {
      self.name = name
      self.title = title
      self.settings = settings
    }
  }

  /// A round that is done.
  public struct Round: Codable, Sendable, Equatable {
    /// Its number, from 1.
    public var round: Int
    /// The digest of the global model after it.
    public var model: String
    /// The digest of each tensor of that model.
    public var tensors: [String: String]
    /// Whose updates were used.
    public var contributors: [Contributor]
    /// Whose were not.
    public var rejected: [Rejection]
    /// The sites' mean training loss.
    public var trainingLoss: Double?
    /// The global model's loss on the test data, if it was measured.
    public var loss: Double?
    /// The global model's accuracy on the test data, in `0...1`, if it was measured.
    public var accuracy: Double?
    /// How long it took.
    public var seconds: Double
    /// How many examples were trained on per second.
    public var examplesPerSecond: Double
    /// The bytes of tensors that sites were sent.
    public var bytesDown = 0
    /// The bytes of tensors that sites answered with.
    public var bytesUp = 0
    /// How many times smaller the answers were than without compression.
    public var compression: Double?
    /// What the privacy budget's owners have spent by now, by name: ε at their δ.
    public var epsilon: [String: Double] = [:]
    /// The digest of what the workflow keeps besides the model.
    public var memory: String?
    /// The digest of each result that is no model, by its name; `nil` in records of versions that did not note it.
    public var documents: [String: String]?
    /// The digest of what each site that was used remembers, by the site's name, where that changed; `nil` in records of
    /// versions that did not note it.
    public var siteMemories: [String: String]?
    /// The number of the last task.
    public var step = 0

    /// Makes an entry.
    public init(
      round: Int,
      model: String,
      tensors: [String: String],
      contributors: [Contributor],
      rejected: [Rejection],
      trainingLoss: Double?,
      loss: Double?,
      accuracy: Double?,
      seconds: Double,
      examplesPerSecond: Double
    ) {
      self.round = round
      self.model = model
      self.tensors = tensors
      self.contributors = contributors
      self.rejected = rejected
      self.trainingLoss = trainingLoss
      self.loss = loss
      self.accuracy = accuracy
      self.seconds = seconds
      self.examplesPerSecond = examplesPerSecond
    }
  }

  /// A site whose update was used.
  public struct Contributor: Codable, Sendable, Equatable {
    /// The site's name.
    public var site: String
    /// How much its update counted.
    public var weight: Double
    /// What the site measured: `loss`, its mean training loss, and others.
    public var metrics: [String: Double]

    /// Makes an entry.
    public init(site: String, weight: Double, metrics: [String: Double] = [:]) {
      self.site = site
      self.weight = weight
      self.metrics = metrics
    }
  }

  /// A site whose answer was not used.
  public struct Rejection: Codable, Sendable, Equatable {
    /// The site's name.
    public var site: String
    /// Why not.
    public var reason: String

    /// Makes an entry.
    public init(site: String, reason: String) {
      self.site = site
      self.reason = reason
    }
  }

  /// A final accuracy.
  public struct Result: Codable, Sendable, Equatable {
    /// What was measured.
    public var name: String
    /// The share of test examples classified rightly, in `0...1`.
    public var accuracy: Double

    /// Makes an entry.
    public init(name: String, accuracy: Double) {
      self.name = name
      self.accuracy = accuracy
    }
  }

  /// What a repetition cannot compare, because the version that wrote the record did not note it; empty as a rule.
  public var notCompared: [String] {
    let rounds = trainings.flatMap(\.rounds)
    return [
      (rounds.contains { $0.documents == nil }, "results that are no model"),
      (rounds.contains { $0.siteMemories == nil }, "what sites remember"),
    ].compactMap { $0 ? $1 : nil }
  }

  /// How many rounds are done, of all trainings.
  public var roundCount: Int { trainings.reduce(0) { $0 + $1.rounds.count } }

  /// The versions that the run was made with last.
  public var lastVersions: [String: String] { laterVersions.last ?? versions }

  /// A manifest of a run that begins.
  public init(
    kind: String,
    configuration: [String: String],
    seed: UInt64,
    versions: [String: String],
    started: String
  ) {
    self.kind = kind
    self.configuration = configuration
    self.seed = seed
    self.versions = versions
    self.started = started
  }
}
