internal import CTessera

/// LibTorch's fused and foreach optimiser kernels, which write to their operands.
///
/// `package`: only optimisers may call them, on the tensors of parameters and of their own state. All lists are parallel.
package struct OptimizerKernels {
  /// The parameters that a call changes: those that are trained, and alike in all numbers.
  package let parameters: [Tensor]

  package init(parameters: [Tensor]) {
    self.parameters = parameters
  }

  package func sgd(
    gradients: [Tensor],
    momenta: [Tensor],
    rate: Double,
    momentum: Double,
    dampening: Double,
    decay: Double,
    nesterov: Bool,
    isFirst: Bool
  ) throws {
    try withLists(gradients, momenta, []) { p, g, m, _, count in
      tessera_sgd_step(
        p,
        g,
        m,
        count,
        rate,
        momentum,
        dampening,
        decay,
        nesterov,
        isFirst
      )
    }
  }

  package func adam(
    gradients: [Tensor],
    means: [Tensor],
    squares: [Tensor],
    step: Int,
    rate: Double,
    betas: (Double, Double),
    decay: Double,
    epsilon: Double,
    isDecoupled: Bool
  ) throws {
    try withLists(gradients, means, squares) { p, g, m, v, count in
      tessera_adam_step(
        p,
        g,
        m,
        v,
        count,
        step,
        rate,
        betas.0,
        betas.1,
        decay,
        epsilon,
        isDecoupled
      )
    }
  }

  package func lamb(
    gradients: [Tensor],
    means: [Tensor],
    squares: [Tensor],
    step: Int,
    rate: Double,
    betas: (Double, Double),
    decay: Double,
    epsilon: Double
  ) throws {
    try withLists(gradients, means, squares) { p, g, m, v, count in
      tessera_lamb_step(
        p,
        g,
        m,
        v,
        count,
        step,
        rate,
        betas.0,
        betas.1,
        decay,
        epsilon
      )
    }
  }

  package func novoGrad(
    gradients: [Tensor],
    means: [Tensor],
    squares: [Tensor],
    isFirst: Bool,
    rate: Double,
    betas: (Double, Double),
    decay: Double,
    epsilon: Double
  ) throws {
    try withLists(gradients, means, squares) { p, g, m, v, count in
      tessera_novograd_step(
        p,
        g,
        m,
        v,
        count,
        isFirst,
        rate,
        betas.0,
        betas.1,
        decay,
        epsilon
      )
    }
  }

  private typealias List = UnsafePointer<OpaquePointer?>

  /// The C form of the lists.
  private func withLists(
    _ gradients: [Tensor],
    _ first: [Tensor],
    _ second: [Tensor],
    _ body: (List, List, List, List, Int) -> TesseraCode
  ) throws {
    try Tensor.withPointers(parameters) { p in
      try Tensor.withPointers(gradients) { g in
        try Tensor.withPointers(first) { m in
          try Tensor.withPointers(second) { v in
            try check(body(p, g, m, v, parameters.count))
          }
        }
      }
    }
  }
}

extension Tensor {
  /// Copies the elements of `source` into this tensor's memory.
  ///
  /// `package`: only `Parameter` and `Buffer` may, since every tensor that shares the memory changes.
  package func overwrite(with source: Tensor) throws {
    try withExtendedLifetime((handle, source.handle)) {
      try check(tessera_write(pointer, source.pointer))
    }
  }

  /// A variable, or a constant, over the same memory.
  package func asLeaf(requiresGradient: Bool) throws -> Tensor {
    try mapped { tessera_leaf($0, requiresGradient, $1) }
  }
}

extension [Tensor] {
  /// The Euclidean norm over all tensors together.
  public func totalNorm() throws -> Double {
    var norm = 0.0
    try Tensor.withPointers(self) { try check(tessera_total_norm($0, count, &norm)) }
    return norm
  }

  /// Each tensor times `factor`.
  public func scaled(by factor: Double) throws -> [Tensor] {
    var results = [OpaquePointer?](repeating: nil, count: count)
    try Tensor.withPointers(self) { try check(tessera_scaled($0, count, factor, &results)) }
    return results.compactMap { $0.map(Tensor.init(owning:)) }
  }
}
