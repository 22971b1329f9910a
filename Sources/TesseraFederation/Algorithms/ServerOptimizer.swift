public import TesseraCore

/// How the server moves the global model once it has an aggregate: as an optimiser for which the way from the old model to the
/// aggregate is a step downhill (Reddi et al., 2021, algorithm 1, there `ServerOpt`).
///
/// Without one the aggregate is the next model. Tensors that are not trained (``TesseraCore/ModelState/isTrained(_:_:)``) are
/// always those of the aggregate. An optimiser keeps nothing itself, but names its tensors in the workflow's memory, so that
/// a run goes on from its record.
public protocol ServerOptimizer: Sendable {
  /// The next global model.
  ///
  /// - Parameters:
  ///   - model: The global model that the round began with.
  ///   - aggregate: What the sites' updates came to, as a model.
  ///   - memory: The workflow's memory; what the optimiser keeps is in it under its own names.
  /// - Returns: A model of the same names, shapes and dtypes.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/cannotResume`` if the memory is that of another model.
  func step(
    from model: ModelState,
    to aggregate: ModelState,
    memory: inout [String: ModelState]
  ) throws -> ModelState
}

extension ServerOptimizer {
  /// Steps tensor by tensor.
  ///
  /// Numbers are computed and kept in `float32`, those of `float64` models in `float64`.
  ///
  /// - Parameters:
  ///   - model: The old model.
  ///   - aggregate: The aggregate.
  ///   - memory: The workflow's memory.
  ///   - kept: What is kept for each trained tensor: names in the memory, and the number that all elements are at first.
  ///   - direction: Is given the change Δ of a tensor and what is kept for it, which it renews; returns what is added to the
  ///     tensor.
  /// - Returns: The next model.
  /// - Throws: As ``step(from:to:memory:)``.
  func move(
    _ model: ModelState,
    to aggregate: ModelState,
    memory: inout [String: ModelState],
    keeping kept: KeyValuePairs<String, Double>,
    along direction: (_ change: Tensor, _ kept: inout [Tensor]) throws -> Tensor
  ) throws -> ModelState {
    var renewed = kept.map { _ in [(name: String, tensor: Tensor)]() }
    let next = try model.mapTensors { name, old in
      guard let mean = aggregate[name], mean.shape == old.shape else {
        throw FederationError(
          code: .rejectedUpdate,
          message: "the aggregate has no tensor '\(name)' of shape \(old.shape)"
        )
      }
      guard ModelState.isTrained(name, old) else { return mean }
      let dtype: DType = old.dtype == .float64 ? .float64 : .float32
      var state = try kept.map { key, first in
        guard let states = memory[key] else {
          return try Tensor.full(first, shape: old.shape, dtype: dtype)
        }
        guard let tensor = states[name], tensor.shape == old.shape else {
          throw FederationError(
            code: .cannotResume,
            message: "the memory '\(key)' has no tensor '\(name)' of shape \(old.shape)"
          )
        }
        return tensor
      }
      let start = try old.to(dtype)
      let moved = try start + direction(mean.to(dtype) - start, &state)
      for index in state.indices { renewed[index].append((name: name, tensor: state[index])) }
      return try moved.to(old.dtype)
    }
    for (index, entry) in kept.enumerated() { memory[entry.key] = try ModelState(renewed[index]) }
    return next
  }
}
