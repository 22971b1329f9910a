public import TesseraCore

/// A site's part in FedProx (Li et al., 2020): training is held near the global model.
///
/// Site k minimises `F_k(w) + μ/2 · ‖w - wᵗ‖²` (equation 2), so each step follows `∇F_k(w) + μ · (w - wᵗ)`. The server's part is
/// ``FedAvg``.
public struct FedProx: SiteAlgorithm {
  /// What the algorithm is called in answers.
  public var name: String { "fedprox" }
  /// How strongly: 0 is plain training; the paper tries 0.001, 0.01, 0.1 and 1.
  public let mu: Double

  /// Training near the global model.
  ///
  /// - Parameter mu: How near, at least 0.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public init(mu: Double) throws {
    try FederationError.check(mu, "mu", atLeast: 0)
    self.mu = mu
  }

  /// Trains, and answers with the model.
  public func update(
    for task: SiteTask,
    at site: SiteContext,
    by train: LocalTrainer
  ) async throws -> SiteUpdate {
    let pull = ProximalPull(strength: mu, towards: task.model)
    let trained = try await train(task.model, pull, task.key)
    return SiteUpdate(trained.weights, model: trained.state)
  }
}

extension SiteAlgorithm where Self == FedProx {
  /// Training near the global model.
  ///
  /// - Parameter mu: How near, at least 0.
  /// - Returns: The algorithm.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public static func fedProx(mu: Double) throws -> Self { try Self(mu: mu) }
}
