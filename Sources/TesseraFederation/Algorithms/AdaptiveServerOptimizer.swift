public import TesseraCore

/// FedAdagrad, FedAdam and FedYogi: optimisers on the server with a step size for each element (Reddi et al., 2021, algorithm 2).
///
/// With the change Δ from the old model x to the aggregate,
///
///     m ← β₁ · m + (1 - β₁) · Δ                      from 0
///     v ← v + Δ²                      (Adagrad)      from τ²
///     v ← β₂ · v + (1 - β₂) · Δ²                     (Adam)
///     v ← v - (1 - β₂) · Δ² · sign(v - Δ²)           (Yogi)
///     x ← x + learningRate · m / (√v + τ)
///
/// without a correction of the first steps' bias, as there.
public struct AdaptiveServerOptimizer: ServerOptimizer {
  /// How the squares of changes are remembered.
  public enum SecondMoment: Hashable, Sendable {
    /// Their sum.
    case sum
    /// A mean that fades.
    case fading(Double)
    /// A mean that grows as it does in `fading`, and falls slower.
    case yogi(Double)
  }

  /// The step size: how far an element moves in a round, about.
  public let learningRate: Double
  /// How the squares of changes are remembered.
  public let secondMoment: SecondMoment
  /// How much of the mean change goes on: β₁.
  public let beta1: Double
  /// The change that counts as small: τ.
  public let tau: Double
  /// Where m lies in the workflow's memory.
  public static let meanName = "server.mean"
  /// Where v lies in the workflow's memory.
  public static let squareName = "server.square"

  /// An optimiser on the server.
  ///
  /// - Parameters:
  ///   - secondMoment: How the squares of changes are remembered; a fading share β₂ is at least 0 and below 1.
  ///   - learningRate: The step size, above 0.
  ///   - beta1: How much of the mean change goes on, at least 0 and below 1.
  ///   - tau: The change that counts as small, above 0.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public init(
    _ secondMoment: SecondMoment,
    learningRate: Double,
    beta1: Double = 0.9,
    tau: Double = 1e-3
  ) throws {
    try FederationError.check(learningRate, "learningRate", above: 0)
    try FederationError.check(beta1, "beta1", atLeast: 0, below: 1)
    try FederationError.check(tau, "tau", above: 0)
    switch secondMoment {
    case .sum: break
    case .fading(let beta2), .yogi(let beta2):
      try FederationError.check(beta2, "beta2", atLeast: 0, below: 1)
    }
    self.secondMoment = secondMoment
    self.learningRate = learningRate
    self.beta1 = beta1
    self.tau = tau
  }

  /// The next global model.
  public func step(
    from model: ModelState,
    to aggregate: ModelState,
    memory: inout [String: ModelState]
  ) throws -> ModelState {
    try move(
      model,
      to: aggregate,
      memory: &memory,
      keeping: [Self.meanName: 0, Self.squareName: tau * tau]
    ) { change, kept in
      kept[0] = try kept[0] * beta1 + change * (1 - beta1)
      kept[1] = try renewed(kept[1], by: change.squared())
      return try kept[0] / (sqrt(kept[1]) + tau) * learningRate
    }
  }

  private func renewed(_ v: Tensor, by square: Tensor) throws -> Tensor {
    switch secondMoment {
    case .sum: try v + square
    case .fading(let beta2): try v * beta2 + square * (1 - beta2)
    case .yogi(let beta2): try v - square * sign(v - square) * (1 - beta2)
    }
  }
}

extension ServerOptimizer where Self == AdaptiveServerOptimizer {
  /// FedAdam.
  ///
  /// - Parameters:
  ///   - learningRate: The step size, above 0.
  ///   - beta1: How much of the mean change goes on, at least 0 and below 1.
  ///   - beta2: How much of the mean square goes on, at least 0 and below 1.
  ///   - tau: The change that counts as small, above 0.
  /// - Returns: The optimiser.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public static func adam(
    learningRate: Double,
    beta1: Double = 0.9,
    beta2: Double = 0.99,
    tau: Double = 1e-3
  ) throws -> Self {
    try Self(.fading(beta2), learningRate: learningRate, beta1: beta1, tau: tau)
  }

  /// FedYogi.
  ///
  /// - Parameters:
  ///   - learningRate: The step size, above 0.
  ///   - beta1: How much of the mean change goes on, at least 0 and below 1.
  ///   - beta2: How much of the mean square goes on, at least 0 and below 1.
  ///   - tau: The change that counts as small, above 0.
  /// - Returns: The optimiser.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public static func yogi(
    learningRate: Double,
    beta1: Double = 0.9,
    beta2: Double = 0.99,
    tau: Double = 1e-3
  ) throws -> Self {
    try Self(.yogi(beta2), learningRate: learningRate, beta1: beta1, tau: tau)
  }

  /// FedAdagrad.
  ///
  /// - Parameters:
  ///   - learningRate: The step size, above 0.
  ///   - beta1: How much of the mean change goes on, at least 0 and below 1; the paper uses none.
  ///   - tau: The change that counts as small, above 0.
  /// - Returns: The optimiser.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public static func adagrad(
    learningRate: Double,
    beta1: Double = 0,
    tau: Double = 1e-3
  ) throws -> Self {
    try Self(.sum, learningRate: learningRate, beta1: beta1, tau: tau)
  }
}
