internal import TesseraCore

extension Exchange {
  /// A model's weights, whatever form it has.
  func asWeights(from reference: Exchange) throws -> Exchange {
    guard kind == .weightDifference else { return self }
    var result = try reference.adding(self)
    result.kind = .weights
    result.metadata = metadata
    result.metrics = metrics
    return result
  }

  /// A model's difference from what the task came with, whatever form it has.
  func asDifference(from reference: Exchange) throws -> Exchange {
    guard kind == .weights else { return self }
    var result = self
    result.kind = .weightDifference
    result.tensors = try tensors.mapTensors { name, tensor in
      guard let own = reference.tensors[name] else {
        throw FederationError(
          code: .rejectedUpdate,
          message: "the model has no tensor '\(name)' to take a difference from"
        )
      }
      return try (tensor - own).to(tensor.dtype)
    }
    return result
  }
}
