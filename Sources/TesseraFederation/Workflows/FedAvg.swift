internal import TesseraCore

/// Federated averaging, scatter and gather: each round some sites train the global model, and their aggregate is the next one
/// (McMahan et al., 2017).
///
/// With a server optimiser it is FedOpt (Reddi et al., 2021), which moves the global model along the way to the aggregate:
///
///     let workflow = try FedAvg(rounds: 25, serverOptimizer: .adam(learningRate: 0.01))
public struct FedAvg: Workflow {
  /// How many rounds there are at most.
  public let rounds: Int
  /// The share of the sites that is asked in each round, above 0 and at most 1; drawn anew each round.
  public let fraction: Double
  /// How the updates become one.
  public internal(set) var rule: any AggregationRule
  /// How the server moves the model; to the aggregate if `nil`.
  public let serverOptimizer: (any ServerOptimizer)?
  /// How updates are summed so that nobody sees a single one, in place of ``rule``; each is sent as it is if `nil`.
  public var secure: SecureAggregation?
  /// How the sites of a round are drawn: what a rule that makes the aggregate private may assume.
  ///
  /// Without such a rule they are drawn by ``SiteDraw/Method/fixed``.
  public var sampling = SiteDraw.Method.fixed
  /// Where the norm of adaptive clipping lies among the state's documents, as an ``AdaptedClipping``.
  public static let clippingDocument = "clipping norm"

  /// How far adaptive clipping has come.
  public struct AdaptedClipping: Codable, Sendable, Hashable {
    /// The norm that it began with: a workflow that is to begin with another one begins anew.
    public let start: Double
    /// The norm of the next round.
    public let bound: Double
  }

  /// Federated averaging.
  ///
  /// - Parameters:
  ///   - rounds: How many rounds there are at most.
  ///   - fraction: The share of the sites that is asked in each round, above 0 and at most 1.
  ///   - rule: How the updates become one.
  ///   - serverOptimizer: How the server moves the model; to the aggregate if `nil`.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public init(
    rounds: Int,
    fraction: Double = 1,
    rule: any AggregationRule = WeightedMean(),
    serverOptimizer: (any ServerOptimizer)? = nil
  ) throws {
    try checkRounds(rounds)
    try SiteSample.check(fraction)
    self.rounds = rounds
    self.fraction = fraction
    self.rule = rule
    self.serverOptimizer = serverOptimizer
  }

  /// The fraction.
  public var participation: Double { fraction }

  /// None for a weighted mean that becomes the global model as it is.
  public var reasonAgainstEncryption: String? {
    if secure != nil {
      return "'secure_aggregation' masks models, and encrypted ones cannot be masked"
    }
    if serverOptimizer != nil {
      return "'server_optimizer' computes with the aggregate, which the server cannot read"
    }
    guard rule is WeightedMean || rule is EncryptedMean else {
      return "'aggregation' by \(type(of: rule)) reads single updates, which the server cannot"
    }
    return nil
  }

  /// Refuses what secure aggregation would silently pass by.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration`` if ``secure`` is given with a rule other
  ///   than the weighted mean, which would need to read single updates.
  func checkSecureAggregation() throws {
    guard secure != nil, !(rule is WeightedMean) else { return }
    let hint = rule is GaussianMean ? "; it has 'noise' of its own" : ""
    throw FederationError(
      code: .invalidConfiguration,
      message: """
        'secure_aggregation' gives a weighted mean of updates that nobody sees, and 'aggregation' by \
        \(type(of: rule)) would read single ones\(hint)
        """
    )
  }

  /// Refuses secret draws that nothing would come of: sums behind masks are of sites that are known, and without noise a draw of
  /// nobody has no aggregate.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration`` if ``sampling`` is not
  ///   ``SiteDraw/Method/fixed``, and there is ``secure``, or a rule that makes nothing private.
  func checkSampling() throws {
    guard sampling != .fixed, secure != nil || !(rule is any PrivateAggregationRule) else { return }
    let reason =
      secure != nil
      ? "'secure_aggregation' sums sites that are known"
      : "'aggregation' by \(type(of: rule)) makes nothing private"
    throw FederationError(
      code: .invalidConfiguration,
      message: """
        'sampling: \(sampling.rawValue)' is for an 'aggregation' with the server's noise, such as \
        '\(GaussianMean.name)', and \(reason)
        """
    )
  }

  /// Asks for training, and moves the global model to the aggregate.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration`` if ``rule`` would read updates that
  ///   ``secure`` hides, or ``sampling`` is secret where that is for nothing; what asking throws.
  public func run(_ state: inout WorkflowState, with controller: Controller) async throws {
    try checkSecureAggregation()
    try checkSampling()
    if let secure {
      let aggregate = try await controller.gather(
        .train,
        state.global,
        from: controller.sample(fraction),
        securelyBy: secure
      )
      try state.move(to: aggregate.exchange, by: serverOptimizer)
      return
    }
    let draw = controller.draw(fraction, by: sampling)
    guard let mean = rule as? GaussianMean, mean.adaptive != nil else {
      let aggregate = try await controller.gather(.train, state.global, from: draw, by: rule)
      try state.move(to: aggregate.exchange, by: serverOptimizer)
      return
    }
    let earlier = try state.document(Self.clippingDocument, as: AdaptedClipping.self)
    // That of another workflow of a chain says nothing here.
    let norm = earlier.flatMap { $0.start == mean.clipNorm ? $0.bound : nil } ?? mean.clipNorm
    let rule = try mean.clipping(to: norm)
    let aggregate = try await controller.gather(.train, state.global, from: draw, by: rule)
    var next = aggregate.exchange
    if let sum = next.metrics.removeValue(forKey: GaussianMean.bitsMetric),
      var clipping = try rule.clipping(expecting: draw.divisor ?? Double(draw.sites.count))
    {
      // Who was asked and did not answer gave no bit.
      let updates = draw.divisor ?? Double(aggregate.contributions.count)
      try clipping.adapt(toNoisedSum: sum, of: updates)
      try state.setDocument(
        Self.clippingDocument,
        to: AdaptedClipping(start: mean.clipNorm, bound: clipping.bound)
      )
    }
    try state.move(to: next, by: serverOptimizer)
  }
}

extension WorkflowState {
  /// Makes an aggregate the global model, or lets a server optimiser make the next one of it.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration`` if the optimiser cannot compute with
  ///   the aggregate, because it is encrypted or otherwise changed.
  public mutating func move(
    to aggregate: Exchange,
    by optimizer: (any ServerOptimizer)?
  ) throws {
    guard let optimizer else {
      global = aggregate
      return
    }
    if let processing = aggregate.metadata.processing.last {
      throw FederationError(
        code: .invalidConfiguration,
        message:
          "'serverOptimizer' needs a plain model, and the aggregate is \(processing.algorithm)"
      )
    }
    var memory = memory
    let next = try optimizer.step(from: model, to: aggregate.tensors, memory: &memory)
    global = aggregate
    model = next
    self.memory = memory
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
