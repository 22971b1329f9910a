internal import Foundation
public import SystemPackage
internal import TesseraCore
public import TesseraFederation
internal import TesseraNN
public import TesseraRetrieval

/// MURAL by a federation: each site holds the captions and translations of its own languages, and the encoder that all share is the mean of
/// what the sites make of it, round by round (``FedAvg``).
///
///     let experiment = try RetrievalExperiment(plan, dataset, federating: FederatedRetrieval.init)
///
/// Of a round each site trains some steps. A training of as many steps in one place sees as many batches as each site does.
public final class FederatedRetrieval: RetrievalTrainer {
  /// The global model.
  public let model: DualEncoder
  /// The sites, in the order of their indices.
  public let sites: [Site]
  private let localSteps: Int
  private let seed: UInt64
  private let workflow: FedAvg
  private let executor: RetrievalExecutor
  private let pool: LanePool
  private var state: WorkflowState

  /// A training that begins.
  ///
  /// - Parameter beginning: What it begins with.
  /// - Throws: `RetrievalError` if a site has nothing to train on; `FederationError` if a setting cannot be.
  public convenience init(_ beginning: RetrievalExperiment.Beginning) throws {
    try self.init(beginning, lanes: ProcessInfo.processInfo.activeProcessorCount)
  }

  /// A training that begins.
  ///
  /// - Parameters:
  ///   - beginning: What it begins with.
  ///   - lanes: How many sites train at a time, on a thread each; the results do not depend on it.
  /// - Throws: `RetrievalError` if a site has nothing to train on; `FederationError` if a setting cannot be.
  public init(_ beginning: RetrievalExperiment.Beginning, lanes: Int) throws {
    let division = LanguageSites(of: beginning.dataset, beginning.federation.sites)
    let examples = try RetrievalExamples.parts(
      of: beginning.dataset,
      languages: division.sites.map(\.languages)
    )
    sites = zip(division.sites, examples).enumerated().map { index, site in
      Site(index: index, name: site.0.name, exampleCount: site.1.count)
    }
    localSteps = beginning.federation.localSteps
    seed = beginning.configuration.seed
    let steps = beginning.configuration.steps
    workflow = try FedAvg(rounds: (steps + localSteps - 1) / localSteps)
    executor = try RetrievalExecutor(
      model: beginning.model.configuration,
      tokenizer: beginning.tokenizer,
      examples: examples,
      configuration: beginning.configuration,
      localSteps: localSteps
    )
    pool = LanePool(lanes: lanes)
    model = beginning.model
    state = WorkflowState(model: try model.state())
  }

  /// How many steps each site has trained.
  public var stepsDone: Int { state.round * localSteps }

  /// Trains whole rounds until each site has trained so many steps.
  public func advance(
    to end: Int,
    observe: @escaping @Sendable (RetrievalTraining.Step) -> Void
  ) async throws -> Double {
    var federation = Federation(
      workflow: workflow,
      transport: InProcessTransport(sites: sites, executor: executor, pool: pool),
      key: RandomKey(seed: seed)["retrieval"]["federation"]
    )
    federation.lastRound = (end + localSteps - 1) / localSteps
    let begin = state.round
    var loss = 0.0
    // A round that is not finished leaves no trace.
    let (next, _) = try await federation.run(from: state) { [localSteps] result in
      let mean = Self.mean("loss", of: result) ?? 0
      loss += mean
      observe(
        RetrievalTraining.Step(
          number: result.round * localSteps,
          loss: mean,
          pictureLoss: Self.mean("picture loss", of: result),
          translationLoss: Self.mean("translation loss", of: result)
        )
      )
    }
    state = next
    try model.load(state.model)
    return state.round > begin ? loss / Double(state.round - begin) : 0
  }

  /// The mean of a measurement over the sites that have it.
  private static func mean(_ metric: String, of result: RoundResult) -> Double? {
    let values = result.contributions.compactMap { $0.metrics[metric] }
    return values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
  }

  /// Writes the global model, and how many rounds are done.
  public func write(to path: FilePath) throws { try state.write(to: path) }

  /// Goes on from what ``write(to:)`` has written.
  public func load(contentsOf path: FilePath) throws {
    let state = try WorkflowState(contentsOf: path)
    try model.load(state.model)
    self.state = state
  }
}
