internal import TesseraCore
internal import TesseraData
internal import TesseraNN

extension ImageExperiment {
  /// The ways to train together that an experiment compares.
  public enum Algorithm: String, Sendable, Hashable, CaseIterable {
    /// Federated averaging (McMahan et al., 2017).
    case fedavg
    /// Federated averaging whose sites are held near the global model (Li et al., 2020).
    case fedprox
    /// Federated averaging with an optimiser on the server: Adam (Reddi et al., 2021).
    case fedopt
    /// Federated averaging of models that the server cannot read.
    case encrypted = "fedavg-he"

    /// What it is called in reports.
    public var title: String {
      switch self {
      case .fedavg: "FedAvg"
      case .fedprox: "FedProx"
      case .fedopt: "FedOpt"
      case .encrypted: "FedAvg, encrypted"
      }
    }

    /// FedProx's μ.
    static let mu = 0.01
    /// The step of FedOpt's Adam on the server.
    static let serverLearningRate = 0.03

    /// The settings that it has of its own.
    var settings: [String: String] {
      switch self {
      case .fedavg: [:]
      case .fedprox: ["mu": "\(Self.mu)"]
      case .fedopt: ["server": "Adam", "server learning rate": "\(Self.serverLearningRate)"]
      case .encrypted: ["encryption": "CKKS, degree 8192, 60-40-40 bits, scale 2^40"]
      }
    }
  }

  /// A training by an algorithm, as configured.
  func training(by algorithm: Algorithm, through lastRound: Int?) throws -> RecordedTraining {
    var site: any SiteAlgorithm = .plain
    var optimizer: (any ServerOptimizer)?
    var encryption: SimulatedEncryption?
    switch algorithm {
    case .fedavg: break
    case .fedprox: site = try .fedProx(mu: Algorithm.mu)
    case .fedopt: optimizer = try .adam(learningRate: Algorithm.serverLearningRate)
    case .encrypted:
      encryption = try SimulatedEncryption(examples: training.dataset.count, key: key["encryption"])
    }
    let executor = ClassifierExecutor(
      training: training,
      partition: partition,
      epochs: configuration.epochs,
      algorithm: site
    )
    var federation = Federation(
      workflow: try FedAvg(
        rounds: configuration.rounds,
        fraction: configuration.fraction,
        serverOptimizer: optimizer
      ),
      transport: InProcessTransport(
        sites: sites,
        worker: SiteWorker(executor: executor, encryption: encryption?.encrypt),
        pool: pool
      ),
      // The same for all: they differ by what they do, not by what they draw.
      key: key["federated"]
    )
    federation.quorum.minimum = configuration.minimumSites
    federation.targetAccuracy = configuration.targetAccuracy
    federation.lastRound = lastRound
    federation.encryption = encryption?.context
    let open = SimulatedEncryption.reader(encryption)
    federation.evaluate = {
      try await training.evaluation(of: open($0), on: test, pool: pool)
    }
    var recorded = RecordedTraining(
      name: algorithm.rawValue,
      federation: federation,
      initial: WorkflowState(model: try training.initialState(key: key))
    )
    recorded.passes = configuration.epochs
    recorded.open = open
    return recorded
  }
}
