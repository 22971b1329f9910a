internal import Synchronization
internal import TesseraCore

/// Folds the answers of one round as they arrive, from any thread, and feeds the workflow.
final class RoundCollector: Sendable {
  struct State {
    var workflow: any Workflow
    var mean: WeightedMean
    var actions: [WorkflowAction] = []
    var contributions: [Contribution] = []
    var refusals: [Refusal] = []
    /// The sites that were asked and have not answered.
    var pending: Set<Int>
    var answers = 0
  }

  private let state: Mutex<State>
  private let observe: @Sendable (RunEvent) -> Void

  init(
    asking sites: [Site],
    workflow: any Workflow,
    mean: WeightedMean,
    observe: @escaping @Sendable (RunEvent) -> Void
  ) {
    state = Mutex(State(workflow: workflow, mean: mean, pending: Set(sites.map(\.index))))
    self.observe = observe
  }

  func receive(_ result: Result<Update, any Error>, from site: Site) {
    let done: Int? = state.withLock { state in
      // Before anything is folded: no site counts twice, and none that was not asked.
      guard state.pending.remove(site.index) != nil else {
        let reason = "\(site.name): it has answered already, or was not asked"
        state.refusals.append(Refusal(site: site, reason: reason))
        return nil
      }
      switch result {
      case .success(let update):
        do {
          let weight = try state.mean.fold(update, from: site)
          state.contributions.append(
            Contribution(
              site: site,
              weight: weight,
              // Records are JSON, which has no NaN; a model is not worth less for an odd measurement.
              metrics: update.metrics.filter(\.value.isFinite)
            )
          )
          state.actions += state.workflow.handle(
            .accepted(site: site.index, weight: weight)
          )
        } catch {
          state.refuse(site, "\(error)")
        }
      case .failure(let error):
        state.refuse(site, "\(site.name): \(error)")
      }
      state.answers += 1
      return state.answers
    }
    if let done { observe(.answered(site, answers: done)) }
  }

  /// What the round came to.
  ///
  /// In the order of the sites, whatever the order of the answers.
  func result() -> State {
    state.withLock { state in
      state.contributions.sort { $0.site.index < $1.site.index }
      state.refusals.sort { $0.site.index < $1.site.index }
      return state
    }
  }
}

extension RoundCollector.State {
  fileprivate mutating func refuse(_ site: Site, _ reason: String) {
    refusals.append(Refusal(site: site, reason: reason))
    actions += workflow.handle(.rejected(site: site.index, reason: reason))
  }
}
