/// Federated averaging, scatter and gather: each round some sites train the global model, and their aggregate is the next one
/// (McMahan et al., 2017).
public struct FedAvg: Workflow {
  /// How many rounds there are at most.
  public let rounds: Int
  /// The share of the sites that is asked in each round, above 0 and at most 1; drawn anew each round.
  public let fraction: Double
  /// How the updates become one.
  public let rule: any AggregationRule

  /// Federated averaging.
  ///
  /// - Parameters:
  ///   - rounds: How many rounds there are at most.
  ///   - fraction: The share of the sites that is asked in each round, above 0 and at most 1.
  ///   - rule: How the updates become one.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public init(
    rounds: Int,
    fraction: Double = 1,
    rule: any AggregationRule = WeightedMean()
  ) throws {
    try checkRounds(rounds)
    try SiteSample.check(fraction)
    self.rounds = rounds
    self.fraction = fraction
    self.rule = rule
  }

  /// The fraction.
  public var participation: Double { fraction }

  /// Asks for training, and makes the aggregate the global model.
  public func run(_ state: inout WorkflowState, with controller: Controller) async throws {
    let sites = controller.sample(fraction)
    state.global = try await controller.gather(.train, state.global, from: sites, by: rule).exchange
  }
}

/// Refuses a number of rounds below 1.
func checkRounds(_ rounds: Int) throws {
  guard rounds >= 1 else {
    throw FederationError(
      code: .invalidConfiguration,
      message: "there must be at least 1 round, not \(rounds)"
    )
  }
}
