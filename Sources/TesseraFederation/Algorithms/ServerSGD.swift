public import TesseraCore

/// SGD with momentum on the server: FedAvgM (Hsu et al., 2019), FedOpt with SGD (Reddi et al., 2021).
///
/// With the change Δ from the old model x to the aggregate, `v ← momentum · v + Δ` and `x ← x + learningRate · v`. A rate of 1
/// without momentum gives the aggregate, up to rounding.
public struct ServerSGD: ServerOptimizer {
  /// The step size.
  public let learningRate: Double
  /// How much of the last step goes on.
  public let momentum: Double
  /// Where v lies in the workflow's memory.
  public static let momentumName = "server.momentum"

  /// SGD on the server.
  ///
  /// - Parameters:
  ///   - learningRate: The step size, above 0; 1 in FedAvgM.
  ///   - momentum: How much of the last step goes on, at least 0 and below 1.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public init(learningRate: Double = 1, momentum: Double = 0.9) throws {
    try FederationError.check(learningRate, "learningRate", above: 0)
    try FederationError.check(momentum, "momentum", atLeast: 0, below: 1)
    self.learningRate = learningRate
    self.momentum = momentum
  }

  /// The next global model.
  public func step(
    from model: ModelState,
    to aggregate: ModelState,
    memory: inout [String: ModelState]
  ) throws -> ModelState {
    guard momentum > 0 else {
      return try move(model, to: aggregate, memory: &memory, keeping: [:]) { change, _ in
        try change * learningRate
      }
    }
    return try move(model, to: aggregate, memory: &memory, keeping: [Self.momentumName: 0]) {
      $1[0] = try $1[0] * momentum + $0
      return try $1[0] * learningRate
    }
  }
}

extension ServerOptimizer where Self == ServerSGD {
  /// SGD with momentum on the server: FedAvgM.
  ///
  /// - Parameters:
  ///   - learningRate: The step size, above 0.
  ///   - momentum: How much of the last step goes on, at least 0 and below 1.
  /// - Returns: The optimiser.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public static func sgd(learningRate: Double = 1, momentum: Double = 0.9) throws -> Self {
    try Self(learningRate: learningRate, momentum: momentum)
  }
}
