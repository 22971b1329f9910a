internal import TesseraCore

extension Exchange {
  /// These weights moved by a difference.
  ///
  /// Tensors that the difference leaves out stay.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/rejectedUpdate`` if the difference has a tensor that these
  ///   weights have not; ``TensorError`` if shapes differ.
  public func adding(_ difference: Exchange) throws -> Exchange {
    if let unknown = difference.tensors.names.first(where: { tensors[$0] == nil }) {
      throw FederationError(
        code: .rejectedUpdate,
        message: "the difference has a tensor '\(unknown)' that the model has not"
      )
    }
    var result = self
    result.tensors = try tensors.mapTensors { name, tensor in
      try difference.tensors[name].map { try (tensor + $0).to(tensor.dtype) } ?? tensor
    }
    return result
  }
}
