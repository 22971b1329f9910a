internal import TesseraCore

/// FedNova, the server's part: sites that take more steps do not count for more (Wang et al., 2020).
///
/// A site answers with the mean gradient of its steps, `dᵢ = (x - yᵢ) / aᵢ`, and with aᵢ, how far a gradient carries in them
/// (``NormalizedTraining``). With the shares pᵢ of the sites in the examples,
///
///     x ← x - τ · Σ pᵢ · dᵢ        τ = Σ pᵢ · aᵢ
///
/// so that the sites go as far as in FedAvg, but for the objective `Σ pᵢ·fᵢ`, however many steps each takes. Tensors that are
/// not trained (``TesseraCore/ModelState/isTrained(_:_:)``) take the plain mean. Under another rule than the mean, τ is the
/// weighted median of the aᵢ: no site that claims much then carries the others away.
public struct FedNova: Workflow {
  /// How many rounds there are at most.
  public let rounds: Int
  /// The share of the sites that is asked in each round.
  public let fraction: Double
  /// How the mean gradients become one.
  public let rule: any AggregationRule
  /// How the server moves the model.
  public let serverOptimizer: (any ServerOptimizer)?
  /// The measurement of an answer that is aᵢ.
  public static let reachMetric = "reach"
  /// The largest aᵢ that a site may claim: learning rates times steps are far below it.
  public static let largestReach = 1e6

  /// FedNova.
  ///
  /// - Parameters:
  ///   - rounds: How many rounds there are at most.
  ///   - fraction: The share of the sites that is asked in each round, above 0 and at most 1.
  ///   - rule: How the mean gradients become one.
  ///   - serverOptimizer: How the server moves the model; by the formula above if `nil`.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``, also for a rule whose clipping adapts.
  public init(
    rounds: Int,
    fraction: Double = 1,
    rule: any AggregationRule = WeightedMean(),
    serverOptimizer: (any ServerOptimizer)? = nil
  ) throws {
    try checkRounds(rounds)
    try SiteSample.check(fraction)
    try rule.requireFixedClipping(in: "fednova")
    self.rounds = rounds
    self.fraction = fraction
    self.rule = rule
    self.serverOptimizer = serverOptimizer
  }

  /// The server computes with the directions.
  public var reasonAgainstEncryption: String? {
    "FedNova's server computes with the mean direction, which it cannot read if it is encrypted"
  }

  /// Asks for training, and moves the model along the mean direction.
  public func run(_ state: inout WorkflowState, with controller: Controller) async throws {
    let zeros = try state.model.zeros()
    let part = AggregatedPart(reference: zeros, rule: NormalizedMean(directions: rule))
    let aggregate = try await controller.gather(
      .train,
      state.global,
      from: controller.sample(fraction),
      parts: [Aggregate.modelPart: part]
    )
    let reach = aggregate.exchange.metrics[Self.reachMetric] ?? 0
    let directions = aggregate.model
    var next = aggregate.exchange
    next.metrics = [:]
    next.tensors = try state.model.mapTensors { name, x in
      guard let direction = directions[name], x.dtype != .bool else { return x }
      return try x + (ModelState.isTrained(name, x) ? direction * reach : direction)
    }
    try state.move(to: next, by: serverOptimizer)
  }
}

/// A mean of directions, together with that of how far they reach.
private struct NormalizedMean: AggregationRule {
  let directions: any AggregationRule

  func begin(_ round: AggregationRound) throws -> any Aggregation {
    Sum(directions: try directions.begin(round), isRobust: !(directions is WeightedMean))
  }

  private struct Sum: Aggregation {
    var directions: any Aggregation
    let isRobust: Bool
    /// By the sites' indices: the order of arrival must not matter.
    var reaches: [Int: (weight: Double, reach: Double)] = [:]

    mutating func fold(_ update: Exchange, from site: Site) throws -> Double {
      guard let reach = update.metrics[FedNova.reachMetric], reach > 0,
        reach <= FedNova.largestReach
      else {
        throw FederationError.rejected(
          site,
          """
          its '\(FedNova.reachMetric)' is not a number above 0 and at most \(FedNova.largestReach): it \
          must take part in FedNova, too
          """
        )
      }
      let weight = try directions.fold(update, from: site)
      reaches[site.index] = (weight, reach)
      return weight
    }

    mutating func takeBack(_ update: Exchange, weight: Double, from site: Site) throws {
      try directions.takeBack(update, weight: weight, from: site)
      reaches[site.index] = nil
    }

    mutating func result() throws -> Exchange {
      var result = try directions.result()
      let parts = reaches.sorted { $0.key < $1.key }.map(\.value)
      let total = parts.reduce(0) { $0 + $1.weight }
      result.metrics[FedNova.reachMetric] =
        isRobust
        ? Self.median(of: parts, total: total)
        : parts.reduce(0) { $0 + $1.weight / total * $1.reach }
      return result
    }

    /// The reach below which half of the weight lies.
    private static func median(
      of parts: [(weight: Double, reach: Double)],
      total: Double
    ) -> Double {
      var below = 0.0
      let sorted = parts.sorted { $0.reach < $1.reach }
      for part in sorted {
        below += part.weight
        if below >= total / 2 { return part.reach }
      }
      return sorted.last?.reach ?? 0
    }
  }
}
