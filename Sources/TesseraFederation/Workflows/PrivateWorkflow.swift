public import TesseraCore

/// A workflow that can say before it begins what its releases will cost the job.
public protocol PrivateWorkflow: Workflow {
  /// Whether anything that it releases is made private by the server, or by all sites together.
  var makesReleasesPrivate: Bool { get }

  /// Whether noise is still to be found from the budget of a job.
  var isCalibrated: Bool { get }

  /// The same with this noise multiplier wherever noise was still to be found.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration`` if it cannot have it.
  func calibrated(to multiplier: Double) throws -> any PrivateWorkflow

  /// Refuses what is released without being made private.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration`` naming it.
  func requirePrivateReleases() throws

  /// What all rounds cost.
  ///
  /// - Parameters:
  ///   - model: The model that sites are sent.
  ///   - sites: All sites.
  ///   - quorum: How many of those that are asked must answer.
  /// - Returns: The events, for an accountant.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration`` naming what is not made private.
  func plannedEvents(
    for model: ModelState,
    sites: [Site],
    quorum: Quorum
  ) throws -> [PrivacyEvent]
}

extension PrivateWorkflow {
  /// No.
  public var isCalibrated: Bool { false }

  /// As it is.
  public func calibrated(to multiplier: Double) throws -> any PrivateWorkflow { self }
}

extension FedAvg: PrivateWorkflow {
  /// Whether the rule says so.
  public var isCalibrated: Bool { (rule as? GaussianMean)?.isCalibrated == true }

  /// The same with the noise that was found.
  public func calibrated(to multiplier: Double) throws -> any PrivateWorkflow {
    guard let mean = rule as? GaussianMean, mean.isCalibrated else { return self }
    var workflow = self
    workflow.rule = try mean.calibrated(to: multiplier)
    return workflow
  }

  /// Whether the rule is one that makes aggregates private, or sites add noise to sums.
  public var makesReleasesPrivate: Bool {
    secure.map { $0.noise != nil } ?? (rule is any PrivateAggregationRule)
  }

  /// Refuses aggregates without noise.
  public func requirePrivateReleases() throws {
    guard !makesReleasesPrivate else { return }
    throw FederationError.unprotected("fedavg", "aggregates without noise")
  }

  /// One aggregate each round.
  public func plannedEvents(
    for model: ModelState,
    sites: [Site],
    quorum: Quorum
  ) throws -> [PrivacyEvent] {
    try requirePrivateReleases()
    if let secure {
      let asked = SiteSample.count(of: sites.count, fraction: fraction)
      return try secure.privacyEvents(for: model, sites: Array(sites.prefix(asked)), quorum: quorum)
        .repeated(rounds)
    }
    let draw = SiteDraw.planned(by: sampling, fraction: fraction, of: sites.count)
    return try (rule as? any PrivateAggregationRule)?.events(for: draw).repeated(rounds) ?? []
  }
}

extension Scaffold: PrivateWorkflow {
  /// Whether the rule says so.
  public var isCalibrated: Bool { (rule as? GaussianMean)?.isCalibrated == true }

  /// The same with the noise that was found.
  public func calibrated(to multiplier: Double) throws -> any PrivateWorkflow {
    guard let mean = rule as? GaussianMean, mean.isCalibrated else { return self }
    var workflow = self
    workflow.rule = try mean.calibrated(to: multiplier)
    return workflow
  }

  /// Whether the rule is one that makes aggregates private.
  public var makesReleasesPrivate: Bool { rule is any PrivateAggregationRule }

  /// Refuses aggregates without noise.
  public func requirePrivateReleases() throws {
    guard !makesReleasesPrivate else { return }
    throw FederationError.unprotected("scaffold", "aggregates without noise")
  }

  /// Two aggregates each round: the model, and the control variate.
  public func plannedEvents(
    for model: ModelState,
    sites: [Site],
    quorum: Quorum
  ) throws -> [PrivacyEvent] {
    try requirePrivateReleases()
    let draw = SiteDraw.planned(by: .fixed, fraction: fraction, of: sites.count)
    return try (rule as? any PrivateAggregationRule)?.events(for: draw).repeated(rounds)
      .repeated(2) ?? []
  }
}

extension InitialWeights: PrivateWorkflow {
  /// No.
  public var makesReleasesPrivate: Bool { false }

  /// A first model comes from no data.
  public func requirePrivateReleases() {}

  /// Nothing.
  public func plannedEvents(
    for model: ModelState,
    sites: [Site],
    quorum: Quorum
  ) -> [PrivacyEvent] { [] }
}

extension BestModel: PrivateWorkflow {
  /// Whether the training's rule says so.
  public var isCalibrated: Bool { (workflow as? any PrivateWorkflow)?.isCalibrated == true }

  /// The same of the training with the noise that was found.
  public func calibrated(to multiplier: Double) throws -> any PrivateWorkflow {
    guard let training = workflow as? any PrivateWorkflow else { return self }
    return try BestModel(
      of: training.calibrated(to: multiplier),
      by: metric,
      goal: goal,
      patience: patience
    )
  }

  /// Whether the training does.
  public var makesReleasesPrivate: Bool {
    (workflow as? any PrivateWorkflow)?.makesReleasesPrivate == true
  }

  /// Refuses: what sites measure is released as it is.
  public func requirePrivateReleases() throws {
    throw FederationError.unprotected(
      "best-model",
      "asks sites for measurements of their data, which nothing makes private"
    )
  }

  /// Refuses, too.
  public func plannedEvents(
    for model: ModelState,
    sites: [Site],
    quorum: Quorum
  ) throws -> [PrivacyEvent] {
    try requirePrivateReleases()
    return []
  }
}

extension WorkflowChain: PrivateWorkflow {
  /// Whether any of the workflows says so.
  public var isCalibrated: Bool {
    workflows.contains { ($0 as? any PrivateWorkflow)?.isCalibrated == true }
  }

  /// The same with one noise for all workflows for which it was to be found.
  public func calibrated(to multiplier: Double) throws -> any PrivateWorkflow {
    try WorkflowChain(
      workflows.map { try ($0 as? any PrivateWorkflow)?.calibrated(to: multiplier) ?? $0 }
    )
  }

  /// Whether any of the workflows does.
  public var makesReleasesPrivate: Bool {
    workflows.contains { ($0 as? any PrivateWorkflow)?.makesReleasesPrivate == true }
  }

  /// Refuses workflows that cannot say what they release.
  public func requirePrivateReleases() throws {
    for workflow in workflows { try Self.private(workflow) }
  }

  /// What all workflows cost.
  public func plannedEvents(
    for model: ModelState,
    sites: [Site],
    quorum: Quorum
  ) throws -> [PrivacyEvent] {
    try workflows.flatMap {
      try Self.private($0).plannedEvents(for: model, sites: sites, quorum: quorum)
    }
  }

  @discardableResult
  private static func `private`(_ workflow: any Workflow) throws -> any PrivateWorkflow {
    guard let own = workflow as? any PrivateWorkflow else {
      throw FederationError.unprotected(
        "\(type(of: workflow))",
        "passes on what sites answer without noise"
      )
    }
    try own.requirePrivateReleases()
    return own
  }
}

extension [PrivacyEvent] {
  /// The events so many times.
  func repeated(_ times: Int) -> [PrivacyEvent] {
    map { event in
      let (count, overflow) = event.count.multipliedReportingOverflow(by: times)
      return PrivacyEvent(event.mechanism, count: overflow ? .max : count)
    }
  }
}

extension FederationError {
  fileprivate static func unprotected(_ workflow: String, _ reason: String) -> FederationError {
    FederationError(
      code: .invalidConfiguration,
      message: "the job has a privacy budget, and its workflow '\(workflow)' \(reason)"
    )
  }
}
