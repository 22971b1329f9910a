internal import Foundation
internal import SystemPackage
public import TesseraCore
internal import TesseraNN
public import TesseraRun

/// Trains one system or several on the same data, measures them, and compares them.
///
///     let experiment = try RetrievalExperiment(plan, RetrievalDataset(contentsOf: "emoji"))
///     let record = try RunRecord.create(at: "runs/first", experiment.newManifest())
///     let manifest = try await experiment.run(in: record)
///
/// All systems have the same steps with pictures: the same pictures with the same texts, the same first weights, for each seed. The same
/// plan gives the same bits, and whether or not the run was interrupted.
public struct RetrievalExperiment: Sendable {
  /// What is trained, and how.
  public let plan: RetrievalPlan
  /// What it is trained and measured on.
  public let dataset: RetrievalDataset
  /// Where models are trained and measured.
  public let device: Device
  private let tokenizer: any Tokenizer
  private let federating: FederatedTraining?
  private let tokenizerConfiguration: TokenizerConfiguration
  /// The scripts of all captions.
  private let scripts: [String]

  /// What happens, for those who watch.
  public enum Event: Sendable {
    /// A training has begun, or goes on after so many steps.
    case trainingStarted(name: String, title: String, steps: Int, of: Int)
    /// A step is done.
    case stepFinished(RetrievalTraining.Step, of: Int)
    /// A checkpoint is saved; what the held-out concepts that settings are chosen by give.
    case checkpointFinished(RunManifest.Round, steps: Int)
    /// A track is measured.
    case measured(name: String, track: String, meanRecall: Double)
  }

  /// Makes the training of a federation.
  public typealias FederatedTraining = @Sendable (Beginning) throws -> any RetrievalTrainer

  /// What the training of a federation begins with.
  public struct Beginning {
    /// The model, with its first weights.
    public let model: DualEncoder
    /// Turns texts into what it reads.
    public let tokenizer: any Tokenizer
    /// What is divided among the sites.
    public let dataset: RetrievalDataset
    /// How each site trains; the steps are those of the whole training.
    public let configuration: RetrievalTraining.Configuration
    /// How the data set is divided.
    public let federation: RetrievalPlan.Federation

    /// A beginning.
    public init(
      model: DualEncoder,
      tokenizer: any Tokenizer,
      dataset: RetrievalDataset,
      configuration: RetrievalTraining.Configuration,
      federation: RetrievalPlan.Federation = .init()
    ) {
      self.model = model
      self.tokenizer = tokenizer
      self.dataset = dataset
      self.configuration = configuration
      self.federation = federation
    }
  }

  /// Makes the tokenizer.
  ///
  /// - Parameters:
  ///   - plan: What is trained, and how.
  ///   - dataset: What it is trained and measured on.
  ///   - device: Where models are trained and measured.
  ///   - federating: Makes the trainings of ``RetrievalPlan/System/federated``; the library TesseraRetrievalFederation has it.
  /// - Throws: ``RetrievalError`` if a setting cannot be, a vocabulary cannot be read, or the device is not there.
  public init(
    _ plan: RetrievalPlan,
    _ dataset: RetrievalDataset,
    on device: Device = .cpu,
    federating: FederatedTraining? = nil
  ) throws {
    try plan.training.check()
    try plan.model.check()
    if case .cuda(let index) = device {
      guard (0..<Device.cudaCount).contains(index) else {
        throw RetrievalError(
          code: .invalidArgument,
          message: "LibTorch finds \(counted(Device.cudaCount, "GPU")) here, and no \(device)"
        )
      }
      guard !plan.systems.contains(.federated) else {
        throw RetrievalError(
          code: .invalidArgument,
          message: "the sites of a federation are trained on the CPU"
        )
      }
    }
    if plan.systems.contains(.federated) {
      let steps = (plan.federation ?? .init()).localSteps
      guard federating != nil else {
        throw RetrievalError(
          code: .invalidArgument,
          message: "the system 'federated' needs a federation's runtime"
        )
      }
      guard plan.checkpointEvery.isMultiple(of: steps), plan.training.steps.isMultiple(of: steps)
      else {
        throw RetrievalError(
          code: .invalidArgument,
          message: "'steps' and 'checkpoint_every' are not multiples of 'local_steps', \(steps)"
        )
      }
    }
    self.plan = plan
    self.dataset = dataset
    self.device = device
    self.federating = federating
    scripts = TextScripts.names(of: dataset.captions.lazy.map(\.text)).sorted()
    switch plan.tokenizer {
    case .characterNGrams(let buckets, let shortest, let longest):
      tokenizerConfiguration = .characterNGrams(
        buckets: buckets,
        shortest: shortest,
        longest: longest
      )
      tokenizer = try tokenizerConfiguration.tokenizer(in: ".")
    case .wordPiece(let vocabulary, let cleaning):
      tokenizerConfiguration = .wordPiece(cleaning)
      tokenizer = try WordPiece(contentsOf: FilePath(vocabulary), cleaning: cleaning)
    case .sentencePiece(let pieces):
      tokenizerConfiguration = .sentencePiece
      // Of all that any system may be trained on, so that their tokens are the same.
      let examples = try RetrievalExamples(dataset)
      tokenizer = try SentencePiece.trained(on: examples.texts, pieces: pieces)
    }
  }

  /// The trainings: each system with each seed, the systems of a seed one after the other.
  public var trainings: [(name: String, system: RetrievalPlan.System, seed: UInt64)] {
    plan.seeds.flatMap { seed in
      plan.systems.map { system in
        (plan.seeds.count > 1 ? "\(system.rawValue)-\(seed)" : system.rawValue, system, seed)
      }
    }
  }

  /// The first contents of `run.json`.
  public func newManifest() throws -> RunManifest {
    var manifest = RunManifest(
      kind: "retrieval",
      configuration: [
        "plan": try Self.text(of: plan),
        "tokenizer": RetrievalModel.digest(of: tokenizer) ?? "hashed",
      ],
      seed: plan.seeds[0],
      versions: Versions.current,
      started: Date().ISO8601Format()
    )
    manifest.datasets = [
      RunManifest.Dataset(
        name: dataset.description.name,
        examples: dataset.pictures.count,
        files: 5,
        digest: dataset.digest ?? ""
      )
    ]
    manifest.trainings = trainings.map { .init(name: $0.name, title: $0.system.title) }
    let first = try makeEncoder(seed: plan.seeds[0])
    manifest.initialModel = try Digest.sha256(of: first.encoder.state()).model
    return manifest
  }

  /// Refuses to go on with a run that was begun with other data, another tokenizer or another plan.
  ///
  /// - Throws: ``RetrievalError`` with code ``RetrievalError/Code/invalidArgument``, saying what differs.
  public func checkGoesOn(_ manifest: RunManifest) throws {
    func require(_ holds: Bool, _ what: String) throws {
      guard !holds else { return }
      throw RetrievalError(
        code: .invalidArgument,
        message:
          "the run was begun with \(what): name a new folder, or bring back what it was begun with"
      )
    }
    try require(Self.plan(of: manifest) == plan, "another plan")
    let now = try newManifest()
    try require(manifest.datasets == now.datasets, "other data")
    try require(
      manifest.configuration["tokenizer"] == now.configuration["tokenizer"],
      "another tokenizer"
    )
    try require(manifest.initialModel == now.initialModel, "other first weights")
  }

  /// The plan of a recorded run.
  ///
  /// - Throws: ``RetrievalError`` with code ``RetrievalError/Code/malformedFile`` if the record is of another kind, or damaged.
  public static func plan(of manifest: RunManifest) throws -> RetrievalPlan {
    guard manifest.kind == "retrieval", let text = manifest.configuration["plan"],
      let plan = try? JSONDecoder().decode(RetrievalPlan.self, from: Data(text.utf8))
    else {
      throw RetrievalError(
        code: .malformedFile,
        message: "the record is not that of a retrieval run, or its plan is damaged"
      )
    }
    return plan
  }

  private static func text(of plan: RetrievalPlan) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(plan), as: UTF8.self)
  }

  /// A model with the first weights of a seed.
  func makeEncoder(seed: UInt64) throws -> (encoder: DualEncoder, generator: Generator) {
    let generator = try Generator(key: RandomKey(seed: seed)["retrieval"]["weights"])
    return (
      try DualEncoder(plan.model, vocabulary: tokenizer.count, using: generator), generator
    )
  }

  /// A training that begins.
  func makeTraining(
    _ system: RetrievalPlan.System,
    seed: UInt64,
    in group: ReplicaGroup? = nil
  ) throws -> any RetrievalTrainer {
    var configuration = plan.training
    configuration.seed = seed
    if system == .align { configuration.translations = 0 }
    if system == .text { configuration.pictureWeight = 0 }
    var (encoder, generator) = try makeEncoder(seed: seed)
    if system == .federated, let federating {
      guard group == nil else {
        throw RetrievalError(
          code: .invalidArgument,
          message: "the sites of a federation are trained in one process"
        )
      }
      return try federating(
        Beginning(
          model: encoder,
          tokenizer: tokenizer,
          dataset: dataset,
          configuration: configuration,
          federation: plan.federation ?? .init()
        )
      )
    }
    if device != .cpu {
      generator = try Generator(key: RandomKey(seed: seed)["retrieval"]["layers"], on: device)
      try encoder.move(to: device)
      encoder.draw(from: generator)
    }
    return try RetrievalTraining(
      encoder,
      tokenizer,
      RetrievalExamples(dataset, translates: system != .align),
      configuration,
      generator: generator,
      replicas: group
    )
  }

  /// The model of a training, to be measured.
  func model(_ training: any RetrievalTrainer) throws -> RetrievalModel {
    try RetrievalModel(training.model, tokenizer, tokenizerConfiguration, scripts: scripts)
  }
}
