import Synchronization
import TesseraCore
import TesseraFederation
import Testing

/// An executor that is a closure.
struct Doing: Executor {
  var body: @Sendable (SiteTask, SiteContext) async throws -> Exchange

  init(_ body: @escaping @Sendable (SiteTask, SiteContext) async throws -> Exchange) {
    self.body = body
  }

  func execute(_ task: SiteTask, at site: SiteContext) async throws -> Exchange {
    try await body(task, site)
  }
}

struct Broken: Error {}

/// A run of a workflow over sites in this process.
struct Simulation {
  var workflow: any Workflow
  var sites = (0..<5).map { Site(index: $0, name: "site-\($0 + 1)", exampleCount: 10 * ($0 + 1)) }
  var lanes = 2
  var seed: UInt64 = 1
  var memories: (any SiteMemoryStore)?
  var quorum = Quorum()
  var lastRound: Int?

  func federation(_ executor: any Executor) -> Federation {
    var federation = Federation(
      workflow: workflow,
      transport: InProcessTransport(
        sites: sites,
        worker: SiteWorker(executor: executor, memories: memories ?? VolatileSiteMemories()),
        pool: LanePool(lanes: lanes)
      ),
      key: RandomKey(seed: seed)
    )
    federation.quorum = quorum
    federation.lastRound = lastRound
    return federation
  }

  /// The states after each round.
  func run(
    _ executor: any Executor,
    from state: WorkflowState? = nil
  ) async throws -> (state: WorkflowState, rounds: [RoundResult]) {
    let initial = try state ?? WorkflowState(model: model([0, 0]))
    var rounds: [RoundResult] = []
    let outcome = try await federation(executor).run(from: initial) { rounds.append($0) }
    return (outcome.state, rounds)
  }
}
