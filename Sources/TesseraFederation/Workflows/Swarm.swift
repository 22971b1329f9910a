internal import TesseraCore

extension TaskName {
  /// Aggregate the updates that come with the task, and answer with the aggregate.
  public static let aggregate = TaskName("aggregate")
}

/// Swarm learning: the sites aggregate each other's updates, and the role of the aggregator rotates (Warnat-Herresthal et al.,
/// "Swarm Learning for decentralized and confidential clinical machine learning", 2021).
///
/// In each round a site drawn by the round's key does ``TaskName/aggregate`` on the updates of all; if it fails, another is
/// drawn and the round goes on with the same updates. Sites run a ``SwarmSite``.
///
/// What the coordinator sees: **everything that it passes on**. It trains nothing and aggregates nothing, but the updates go
/// through it, one copy of each in its memory at a time, and so does the aggregate. Sites that must hide their updates from
/// the coordinator encrypt them in their own filters, with a key that it has not; the same holds for sites that must hide them
/// from the aggregator, which sees every single update in plain text otherwise.
public struct Swarm: Workflow {
  /// How many rounds there are at most.
  public let rounds: Int
  /// The share of the sites that trains in each round, above 0 and at most 1; drawn anew each round.
  public let fraction: Double
  /// The names of the sites that may aggregate; all if `nil`.
  public let aggregators: Set<String>?

  /// Swarm learning.
  ///
  /// - Parameters:
  ///   - rounds: How many rounds there are at most.
  ///   - fraction: The share of the sites that trains in each round, above 0 and at most 1.
  ///   - aggregators: The names of the sites that may aggregate; all if `nil`.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public init(rounds: Int, fraction: Double = 1, aggregators: Set<String>? = nil) throws {
    try checkRounds(rounds)
    try SiteSample.check(fraction)
    self.rounds = rounds
    self.fraction = fraction
    self.aggregators = aggregators
  }

  /// The aggregator reads every update.
  public var reasonAgainstEncryption: String? {
    "a swarm's aggregator reads every update, and the sites' key would hide them from no site"
  }

  /// Asks for training, and has one site after the other try to aggregate.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/tooFewSites`` if no site could.
  public func run(_ state: inout WorkflowState, with controller: Controller) async throws {
    let answers = try await controller.collect(
      .train,
      state.global,
      from: controller.sample(fraction)
    )
    var updates = Exchange.collection(
      Dictionary(answers.map { ($0.site.name, $0.exchange) }) { first, _ in first }
    )
    // What the updates are changes of.
    updates.tensors = state.model
    var candidates = controller.sites.filter { aggregators?.contains($0.name) ?? true }
    var numbers = KeyedRandomNumbers(key: controller.key["aggregator"])
    while !candidates.isEmpty {
      let site = candidates.remove(at: Int.random(in: candidates.indices, using: &numbers))
      do {
        let outcome = try await controller.ask(
          .aggregate,
          updates,
          [site],
          quorum: Quorum(patience: controller.quorum.patience),
          into: SuccessorSink(predecessor: state.global)
        )
        if let aggregate = outcome.sink.successor {
          state.global = aggregate
          return
        }
      } catch let error as FederationError where error.code == .tooFewSites {}
    }
    throw FederationError(
      code: .tooFewSites,
      message: "round \(controller.round): no site could aggregate the updates"
    )
  }
}

/// A site of a swarm: it can aggregate the others' updates besides its own work.
public struct SwarmSite: Executor {
  private let executor: any Executor
  private let rule: any AggregationRule
  private let sites: [String: Site]

  /// A site of a swarm.
  ///
  /// - Parameters:
  ///   - executor: Does the site's own work.
  ///   - sites: All sites of the swarm: an update may weigh as much as its site has examples.
  ///   - rule: How updates become one.
  public init(
    _ executor: any Executor,
    sites: [Site],
    rule: any AggregationRule = WeightedMean()
  ) {
    self.executor = executor
    self.rule = rule
    self.sites = Dictionary(sites.map { ($0.name, $0) }) { first, _ in first }
  }

  /// Aggregates, if that is the task; updates that do not fit are left out.
  public func execute(_ task: SiteTask, at site: SiteContext) async throws -> Exchange {
    guard task.name == .aggregate else { return try await executor.execute(task, at: site) }
    // Updates that their sites have let go, and nothing of this site's data.
    site.declareFreeOfData()
    let known = task.data.parts.keys.compactMap { sites[$0] }.sorted { $0.index < $1.index }
    var aggregation = try rule.begin(AggregationRound(reference: task.model, sites: known))
    var (count, refused) = (0, task.data.parts.count - known.count)
    for contributor in known {
      try Task.checkCancellation()
      guard let update = task.data.parts[contributor.name] else { continue }
      do {
        _ = try aggregation.fold(update, from: contributor)
        count += 1
      } catch let error as FederationError where error.code == .rejectedUpdate {
        refused += 1
      }
      site.progress()
    }
    var result = try aggregation.result()
    result.metrics = ["aggregated updates": Double(count), "refused updates": Double(refused)]
    result.metadata.weight = nil
    return result
  }

  /// Closes the executor of the site's own work.
  public func close() async { await executor.close() }
}
