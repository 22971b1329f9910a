internal import TesseraCore

extension ImageExperiment {
  /// The ways to train together that an experiment compares.
  public enum Algorithm: String, Sendable, Hashable, CaseIterable {
    /// Federated averaging (McMahan et al., 2017).
    case fedavg

    /// What it is called in reports.
    public var title: String {
      switch self {
      case .fedavg: "FedAvg"
      }
    }

    /// The settings that it has of its own.
    var settings: [String: String] {
      switch self {
      case .fedavg: [:]
      }
    }
  }

  /// A training by an algorithm, as configured.
  func training(by algorithm: Algorithm, through lastRound: Int?) throws -> RecordedTraining {
    let executor = ClassifierExecutor(
      training: training,
      partition: partition,
      epochs: configuration.epochs
    )
    var federation = Federation(
      workflow: try FedAvg(rounds: configuration.rounds, fraction: configuration.fraction),
      transport: InProcessTransport(sites: sites, executor: executor, pool: pool),
      // The same for all: they differ by what they do, not by what they draw.
      key: key["federated"]
    )
    federation.quorum.minimum = configuration.minimumSites
    federation.targetAccuracy = configuration.targetAccuracy
    federation.lastRound = lastRound
    federation.evaluate = { try await training.evaluation(of: $0.tensors, on: test, pool: pool) }
    var recorded = RecordedTraining(
      name: algorithm.rawValue,
      federation: federation,
      initial: WorkflowState(model: try training.initialState(key: key))
    )
    recorded.passes = configuration.epochs
    return recorded
  }
}
