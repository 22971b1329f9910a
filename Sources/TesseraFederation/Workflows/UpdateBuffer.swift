internal import TesseraCore

/// The updates of one buffer, as their weighted sum.
struct UpdateBuffer {
  private var mean: RunningMean
  private let size: Int
  /// How many updates are in it.
  private(set) var count = 0

  init(for model: ModelState, size: Int) throws {
    // Sums of changes are kept beside nothing, so that they lose no digits to the model's own size.
    let nothing = try model.mapTensors { try Tensor.zeros(like: $1) }
    mean = try RunningMean(updating: nothing, capacity: Double(size))
    self.size = size
  }

  /// Adds the change that an answer makes of the model that its site was sent.
  mutating func fold(
    _ answer: Exchange,
    from site: Site,
    sent model: ModelState,
    weight: Double
  ) throws {
    let tensors = try answer.tensors(matching: model, from: site)
    var changes: [(name: String, tensor: Tensor)] = []
    for ((name, old), tensor) in zip(model.entries, tensors) {
      // Truth values have no difference: they stay.
      guard let tensor, old.dtype != .bool else { continue }
      changes.append(
        (name, answer.kind == .weightDifference ? tensor : try (tensor - old).to(old.dtype))
      )
    }
    var update = Exchange.weights(try ModelState(changes))
    update.metadata.excluded = model.names
    _ = try mean.fold(update, weight: weight, from: site)
    count += 1
  }

  /// The model after the step.
  func step(from model: ModelState, learningRate: Double) throws -> ModelState {
    // A mean is over the sum of weights; the step is over the number of updates.
    let factor = learningRate * mean.totalWeight / Double(size)
    let changes = try mean.mean()
    return try model.mapTensors { name, old in
      guard let change = changes[name], old.dtype != .bool else { return old }
      guard old.dtype.isInteger else { return try (old + change * factor).to(old.dtype) }
      return try (old.to(.float64) + change.to(.float64) * factor).rounded().to(old.dtype)
    }
  }
}
