public import TesseraCore

/// A site's part in FedNova (Wang et al., 2020): it answers with the mean of its steps, and how far they reach.
///
/// With its model y after training from x, the answer is the difference `-dᵢ = (y - x) / aᵢ`, where aᵢ is the steps'
/// ``LocalSteps/reach``: in the paper's terms `η·‖aᵢ‖₁`, which is `η·τᵢ` for τᵢ steps without momentum and
/// `η·(τᵢ - ρ·(1 - ρ^τᵢ)/(1 - ρ))/(1 - ρ)` with a momentum ρ. That learning rates are part of it evens those out, too. Tensors
/// that are not trained are answered as the plain difference; truth values, which have none, are left out.
public struct NormalizedTraining: SiteAlgorithm {
  /// What the algorithm is called in answers.
  public var name: String { "fednova" }

  /// Training whose answer is normalised.
  public init() {}

  /// Trains, and answers with the mean of the steps.
  public func update(
    for task: SiteTask,
    at site: SiteContext,
    by train: LocalTrainer
  ) async throws -> SiteUpdate {
    let trained = try await train(task.model, nil, task.key)
    let reach = trained.steps.reach
    guard reach > 0 else {
      throw FederationError(
        code: .badTask,
        message:
          "a training without steps has no direction: there are no examples, or no learning rate"
      )
    }
    let numbers = try trained.state.filtered { $1.dtype != .bool }
    let direction = try numbers.mapTensors { name, y in
      guard let x = task.model[name] else { return y }
      return try ModelState.isTrained(name, y) ? (y - x) / reach : y - x
    }
    var answer = trained.weights
    answer.kind = .weightDifference
    answer.tensors = direction
    answer.metrics[FedNova.reachMetric] = reach
    // It follows from the number of steps and their learning rates.
    site.declareFreeOfData(measurements: [FedNova.reachMetric])
    answer.metadata.excluded = trained.state.names.filter { numbers[$0] == nil }
    return SiteUpdate(answer, model: trained.state)
  }
}

extension SiteAlgorithm where Self == NormalizedTraining {
  /// Training whose answer is normalised.
  public static var fedNova: Self { Self() }
}
