internal import TesseraCore

/// SCAFFOLD, the server's part: control variates hold the sites together (Karimireddy et al., 2020, algorithm 1).
///
/// The server keeps a control variate c, the mean of the sites' `cᵢ`, zero at first. It sends the model x and c; a site of those
/// asked, S of N, answers with its model yᵢ and its change Δcᵢ (``ScaffoldTraining``), and
///
///     x ← x + η_g · mean(yᵢ - x)        c ← c + |S| / N · mean(Δcᵢ)
///
/// Both means are by the number of examples, so that SCAFFOLD minimises what FedAvg does; with sites of one size they are the
/// paper's. A learning rate η_g other than 1 is a ``ServerSGD`` without momentum.
public struct Scaffold: Workflow {
  /// How many rounds there are at most.
  public let rounds: Int
  /// The share of the sites that is asked in each round.
  public let fraction: Double
  /// How the updates become one, models and changes of control variates alike.
  public internal(set) var rule: any AggregationRule
  /// How the server moves the model.
  public let serverOptimizer: (any ServerOptimizer)?
  /// The part of tasks and answers, and the name in the memory, that is the control variate.
  public static let controlPart = "control"

  /// SCAFFOLD.
  ///
  /// - Parameters:
  ///   - rounds: How many rounds there are at most.
  ///   - fraction: The share of the sites that is asked in each round, above 0 and at most 1.
  ///   - rule: How the updates become one.
  ///   - serverOptimizer: How the server moves the model; to the aggregate if `nil`.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``, also for a rule whose clipping adapts.
  public init(
    rounds: Int,
    fraction: Double = 1,
    rule: any AggregationRule = WeightedMean(),
    serverOptimizer: (any ServerOptimizer)? = nil
  ) throws {
    try checkRounds(rounds)
    try SiteSample.check(fraction)
    try rule.requireFixedClipping(in: "scaffold")
    self.rounds = rounds
    self.fraction = fraction
    self.rule = rule
    self.serverOptimizer = serverOptimizer
  }

  /// The server computes with the control variates.
  public var reasonAgainstEncryption: String? {
    "SCAFFOLD's server computes with control variates, which it cannot read if they are encrypted"
  }

  /// Asks for training, and moves the model and the control variate.
  public func run(_ state: inout WorkflowState, with controller: Controller) async throws {
    let control = try state.memory[Self.controlPart] ?? state.model.trained().zeros()
    let aggregate = try await controller.gather(
      .train,
      .collection([Aggregate.modelPart: state.global, Self.controlPart: .weights(control)]),
      from: controller.sample(fraction),
      parts: [
        Aggregate.modelPart: AggregatedPart(reference: state.model, rule: rule),
        Self.controlPart: AggregatedPart(reference: control, rule: rule),
      ]
    )
    let share = Double(aggregate.contributions.count) / Double(controller.sites.count)
    let mean = aggregate.parts[Self.controlPart]?.tensors ?? control
    state.memory[Self.controlPart] = try control.merged(with: mean) { try $0 + ($1 - $0) * share }
    try state.move(to: aggregate.exchange, by: serverOptimizer)
  }
}
