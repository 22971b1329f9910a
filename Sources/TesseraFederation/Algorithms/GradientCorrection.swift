public import TesseraCore
public import TesseraNN

/// What a federated algorithm changes about the steps of a site's training, for any trainer.
///
///     let correct = try correction?.begin(model.namedParameters)
///     for batch in batches {
///       var gradients = try loss(batch).gradients(for: model.parameters)
///       gradients = try correct?(gradients) ?? gradients
///       try optimizer.apply(gradients)
///       steps.add(rate: optimizer.learningRate)
///     }
///
/// A correction changes what the trainer made of the loss: gradients that are clipped, for range or for privacy, are so
/// before. It depends on nothing but the parameters and what the server sent, so it tells nothing new about the data.
public protocol GradientCorrection: Sendable {
  /// Prepares for one training of a model.
  ///
  /// - Parameter parameters: What is trained, with paths; of the layout, dtype and device that they keep.
  /// - Returns: What makes the gradients that a step takes out of those of the loss, both in the order of the parameters,
  ///   which have their values of before the step.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/badTask`` if something does not fit the parameters.
  func begin(
    _ parameters: [(name: String, parameter: Parameter)]
  ) throws -> ([Tensor]) throws -> [Tensor]
}

/// `∇f(w) + strength · (w - center)`: the gradient of a loss with the proximal term `strength / 2 · ‖w - center‖²`.
///
/// FedProx has it with the global model for a center (Li et al., 2020, equation 2), and so have Ditto's personal models (Li et
/// al., 2021, algorithm 1).
public struct ProximalPull: GradientCorrection {
  /// How strong the pull is: μ or λ.
  public let strength: Double
  /// Where it pulls to.
  public let center: ModelState

  /// A pull towards a model.
  public init(strength: Double, towards center: ModelState) {
    self.strength = strength
    self.center = center
  }

  /// Prepares for one training of a model.
  public func begin(
    _ parameters: [(name: String, parameter: Parameter)]
  ) throws -> ([Tensor]) throws -> [Tensor] {
    guard strength != 0 else { return { $0 } }
    let centers = try center.aligned(with: parameters)
    let parameters = parameters.map(\.parameter)
    return { gradients in
      try withoutGradient {
        let values = parameters.map(\.value)
        let distances = try Tensor.call(
          "aten::_foreach_sub.List",
          .tensors(values),
          .tensors(centers)
        )
        return try Tensor.call(
          "aten::_foreach_add.List",
          .tensors(gradients),
          .tensors(distances),
          named: ["alpha": .double(strength)]
        )
      }
    }
  }
}

/// `∇f(w) + shift`, with the same shift in each step.
///
/// SCAFFOLD shifts by the difference of control variates (Karimireddy et al., 2020, equation 3).
public struct GradientShift: GradientCorrection {
  /// What is added, by the parameters' names.
  public let shift: ModelState

  /// A shift by a constant.
  public init(by shift: ModelState) { self.shift = shift }

  /// Prepares for one training of a model.
  public func begin(
    _ parameters: [(name: String, parameter: Parameter)]
  ) throws -> ([Tensor]) throws -> [Tensor] {
    let shifts = try shift.aligned(with: parameters)
    return { gradients in
      try Tensor.call("aten::_foreach_add.List", .tensors(gradients), .tensors(shifts))
    }
  }
}

extension ModelState {
  /// Copies of the tensors of some parameters, in their order, laid out as they are: mixed layouts cost time in every step.
  fileprivate func aligned(
    with parameters: [(name: String, parameter: Parameter)]
  ) throws -> [Tensor] {
    try parameters.map { name, parameter in
      guard let tensor = self[name], tensor.shape == parameter.value.shape else {
        throw FederationError(
          code: .badTask,
          message: "there is no tensor of shape \(parameter.value.shape) for parameter '\(name)'"
        )
      }
      let copy = try Tensor.call("aten::zeros_like", .tensor(parameter.value.detached())).single()
      try copy.overwrite(with: tensor)
      return copy
    }
  }
}
