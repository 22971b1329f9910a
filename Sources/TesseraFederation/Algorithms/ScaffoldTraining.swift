public import TesseraCore

/// A site's part in SCAFFOLD (Karimireddy et al., 2020, algorithm 1, option II).
///
/// The site keeps a control variate `cᵢ`, an estimate of its own gradient, zero at first; the server sends its model x and
/// their mean c. Each step follows `∇fᵢ(y) + c - cᵢ`. After K steps of the learning rate η,
///
///     cᵢ⁺ = cᵢ - c + (x - yᵢ) / (K · η)
///
/// where `K · η` is the steps' ``LocalSteps/reach``, so that this is the mean gradient with a momentum, too. The answer is a
/// collection of the model yᵢ and the change `cᵢ⁺ - cᵢ`.
public struct ScaffoldTraining: SiteAlgorithm {
  /// What the algorithm is called in answers.
  public var name: String { "scaffold" }
  /// Where the control variate lies in the site's memory.
  public static let memoryName = "scaffold.control"

  /// Training with control variates.
  public init() {}

  /// Trains, and answers with the model and the change of the control variate.
  public func update(
    for task: SiteTask,
    at site: SiteContext,
    by train: LocalTrainer
  ) async throws -> SiteUpdate {
    guard let model = task.data.parts[Aggregate.modelPart]?.tensors,
      let control = task.data.parts[Scaffold.controlPart]?.tensors
    else {
      throw FederationError(
        code: .badTask,
        message: "SCAFFOLD needs a model and a control variate, and the task lacks one of them"
      )
    }
    let own = try site.memory[Self.memoryName] ?? control.zeros()
    let shift = try control.merged(with: own) { try $0 - $1 }
    let trained = try await train(model, GradientShift(by: shift), task.key)
    let reach = trained.steps.reach
    let change = try control.mapTensors { name, c in
      guard reach > 0, let x = model[name], let y = trained.state[name] else {
        return try Tensor.zeros(c.shape, dtype: c.dtype)
      }
      return try (x - y) / reach - c
    }
    site.memory[Self.memoryName] = try own.merged(with: change) { try $0 + $1 }
    return SiteUpdate(
      .collection(
        [
          Aggregate.modelPart: .weights(trained.state),
          Scaffold.controlPart: .difference(change),
        ],
        metrics: trained.metrics,
        metadata: .init(samples: trained.samples)
      ),
      model: trained.state
    )
  }
}

extension SiteAlgorithm where Self == ScaffoldTraining {
  /// Training with control variates.
  public static var scaffold: Self { Self() }
}
