import Tessera
import TesseraConfiguration
import TesseraFederation

/// A site's part in slow steps: it trains, and answers with a part of the way that training went.
///
/// With the global weights w and the trained ones w', the answer is `w + α·(w' - w)`, as the slow weights of Lookahead are moved
/// (Zhang et al., 2019).
struct Lookahead: SiteAlgorithm {
  let name = "lookahead"
  let step: Double

  init(_ arguments: Mapping) throws {
    step = try arguments.optional(
      "step",
      .number(above: 0, through: 1),
      default: 0.5,
      help: "which part of the way"
    )
  }

  func update(
    for task: SiteTask,
    at site: SiteContext,
    by train: LocalTrainer
  ) async throws -> SiteUpdate {
    let trained = try await train(task.model, nil, task.key)
    let slow = try trained.state.mapTensors { name, fast in
      guard ModelState.isTrained(name, fast), let start = task.model[name] else { return fast }
      return try start + step * (fast - start)
    }
    let answer = Exchange.weights(slow, samples: trained.samples, metrics: trained.metrics)
    return SiteUpdate(answer, model: slow)
  }
}
