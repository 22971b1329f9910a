public import TesseraCore

/// Carries out a workflow: asks the sites over a transport, folds their answers, evaluates each new model.
///
/// The controller decides nothing; the ``Workflow`` does.
public struct Controller: Sendable {
  /// The sites, and the way to them.
  public let transport: any Transport
  /// The order of things.
  public let workflow: any Workflow
  /// Seeds everything that the sites draw.
  public let key: RandomKey

  /// A controller for one run.
  public init(transport: any Transport, workflow: any Workflow, key: RandomKey) {
    self.transport = transport
    self.workflow = workflow
    self.key = key
  }

  /// Runs until the workflow finishes.
  ///
  /// - Parameters:
  ///   - model: The global model to start from.
  ///   - completed: How many rounds it has behind it.
  ///   - evaluate: Measures a new global model.
  ///   - finishRound: Is called after each round, before the next one starts: the place to save it.
  ///   - observe: Is told what happens, from any thread.
  /// - Returns: The last global model, and why the run is over.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/tooFewSites`` if a round cannot be completed;
  ///   `CancellationError` if the task was cancelled, when the round under way leaves no trace.
  public func run(
    from model: ModelState,
    after completed: Int = 0,
    evaluate: (ModelState) async throws -> Evaluation,
    finishRound: (RoundResult) async throws -> Void = { _ in },
    observe: @escaping @Sendable (RunEvent) -> Void = { _ in }
  ) async throws -> (model: ModelState, reason: FinishReason) {
    var workflow = workflow
    var model = model
    var actions = workflow.handle(.started(afterRound: completed))
    var round: OpenRound?
    while !actions.isEmpty {
      switch actions.removeFirst() {
      case .ask(let sites, let number):
        observe(.roundStarted(round: number, sites: sites.count))
        let opened = try await gather(number, sites, model, workflow, observe)
        try Task.checkCancellation()
        workflow = opened.state.workflow
        actions += opened.state.actions
        // The transport returned: whoever has not answered by now will not.
        actions += workflow.handle(.deadlinePassed)
        round = opened
      case .aggregate(let number):
        guard let closed = round else { continue }
        model = try closed.state.mean.mean()
        let evaluation = try await evaluate(model)
        try Task.checkCancellation()
        try await finishRound(
          RoundResult(
            round: number,
            model: model,
            evaluation: evaluation,
            contributions: closed.state.contributions,
            refusals: closed.state.refusals,
            duration: ContinuousClock.now - closed.start
          )
        )
        actions += workflow.handle(.evaluated(accuracy: evaluation.accuracy))
      case .abandon(_, let reason):
        throw FederationError(code: .tooFewSites, message: reason)
      case .finish(let reason):
        return (model, reason)
      }
    }
    throw FederationError(
      code: .invalidConfiguration,
      message: "the workflow ended without a result"
    )
  }

  private struct OpenRound {
    var state: RoundCollector.State
    var start: ContinuousClock.Instant
  }

  private func gather(
    _ round: Int,
    _ indices: [Int],
    _ model: ModelState,
    _ workflow: any Workflow,
    _ observe: @escaping @Sendable (RunEvent) -> Void
  ) async throws -> OpenRound {
    let start = ContinuousClock.now
    let sites = indices.map { transport.sites[$0] }
    let capacity = sites.reduce(0) { $0 + Double($1.exampleCount) }
    let collector = RoundCollector(
      asking: sites,
      workflow: workflow,
      mean: try WeightedMean(updating: model, capacity: capacity),
      observe: observe
    )
    let roundKey = key["train"][round]
    let tasks = sites.map {
      SiteTask(round: round, site: $0, model: model, key: roundKey[$0.index])
    }
    await transport.ask(tasks) { site, result in collector.receive(result, from: site) }
    return OpenRound(state: collector.result(), start: start)
  }
}
