public import TesseraCore

/// A site's part in Ditto (Li et al., 2021): beside its part in the global model, it trains one of its own.
///
/// The personal model v of site k minimises `F_k(v) + λ/2 · ‖v - wᵗ‖²`: in each round it goes on from where it
/// stood, by steps along `∇F_k(v) + λ · (v - wᵗ)`, with the global model wᵗ that the round began with (algorithm 1). At first
/// it is the global model. It never leaves the site, unless it is asked for as the site's model. The global model is that of
/// plain training, and the server's part ``FedAvg``; a round costs two trainings.
///
/// Tasks of measuring measure the model that came, and as `personal accuracy` and so on the site's own.
public struct Ditto: SiteAlgorithm {
  /// What the algorithm is called in answers.
  public var name: String { "ditto" }
  /// The shared model, and the personal one.
  public var trainings: Int { 2 }
  /// How strongly the personal model is pulled to the global one.
  ///
  /// 0 is training alone; the paper tries 0.05 to 2.
  public let lambda: Double
  /// Where the personal model lies in the site's memory.
  public static let memoryName = "ditto.personal"
  /// What the names of its measurements begin with.
  public static let prefix = "personal "

  /// A personal model near the global one.
  ///
  /// - Parameter lambda: How near, at least 0.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public init(lambda: Double) throws {
    try FederationError.check(lambda, "lambda", atLeast: 0)
    self.lambda = lambda
  }

  /// Trains both models, and answers with the global one.
  public func update(
    for task: SiteTask,
    at site: SiteContext,
    by train: LocalTrainer
  ) async throws -> SiteUpdate {
    let shared = try await train(task.model, nil, task.key)
    let personal = try await train(
      site.memory[Self.memoryName] ?? task.model,
      ProximalPull(strength: lambda, towards: task.model),
      task.key["personal"]
    )
    site.memory[Self.memoryName] = personal.state
    var answer = shared.weights
    answer.metrics[Self.prefix + "loss"] = personal.metrics["loss"]
    return SiteUpdate(answer, model: personal.state)
  }

  /// The model as it came, and the site's own.
  public func measured(_ model: ModelState, at site: SiteContext) throws -> [String: ModelState] {
    var models = ["": model]
    models[Self.prefix] = site.memory[Self.memoryName]
    return models
  }
}

extension SiteAlgorithm where Self == Ditto {
  /// A personal model near the global one.
  ///
  /// - Parameter lambda: How near, at least 0.
  /// - Returns: The algorithm.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public static func ditto(lambda: Double) throws -> Self { try Self(lambda: lambda) }
}
