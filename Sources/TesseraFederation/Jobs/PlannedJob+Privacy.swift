internal import TesseraCore

/// What a job will have spent by its end, at most.
public struct PrivacyPlan: Sendable {
  /// What may be spent.
  public var budget: PrivacyBudget
  /// The ε of each site that makes its answers private, in the order of the sites.
  public var sites: [(name: String, epsilon: Double)]
  /// The ε of what the server, or all sites together, make private; `nil` if that is nothing.
  public var job: Double?

  /// The plan in words, a line for each ε.
  public var lines: [String] {
    func line(_ owner: String, _ epsilon: Double) -> String {
      let amount = PrivacyBudget.amount(epsilon)
      let excess = epsilon <= budget.epsilon ? "" : ": it will not last"
      return """
        Privacy: at the end \(owner) will have spent epsilon \(amount) at most, of \(budget.epsilon), at \
        delta \(budget.delta)\(excess).
        """
    }
    var lines: [String] = []
    let amounts = sites.map(\.epsilon)
    if let least = amounts.min(), let most = amounts.max() {
      if least == most {
        lines.append(line("each site", most))
      } else if sites.count <= 10 {
        lines += sites.map { line($0.name, $0.epsilon) }
      } else {
        lines +=
          sites.first { $0.epsilon == most }.map { line("\($0.name), the most of all,", most) }
          .map { [$0] } ?? []
      }
    }
    if let job { lines.append(line("the job", job)) }
    return lines
  }
}

extension PlannedJob {
  /// What the job will have spent by its end, at most; `nil` if it has no budget.
  ///
  /// Of a site it is what it costs to be asked in every round.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration`` if something that is to be counted cannot
  ///   be.
  public func privacyPlan() throws -> PrivacyPlan? {
    guard let budget = job.privacy else { return nil }
    var plan = PrivacyPlan(budget: budget, sites: [], job: nil)
    if job.serverSpendsPrivacy, let workflow = job.workflow as? any PrivateWorkflow {
      plan.job = try budget.epsilon(
        of: workflow.plannedEvents(for: initialState(), sites: sites, quorum: job.quorum)
      )
    }
    guard job.sitesSpendPrivacy else { return plan }
    // Sites of one size spend the same.
    var known: [Int: Double] = [:]
    let filters = job.executor.spendsPrivacy ? [] : try filterEvents(job.siteFilters.results)
    for site in sites {
      let epsilon =
        try known[site.exampleCount]
        ?? budget.epsilon(
          of: filters
            + job.executor.plannedEvents(site, resources()).repeated(job.workflow.trainingsPerSite)
        )
      known[site.exampleCount] = epsilon
      plan.sites.append((site.name, epsilon))
    }
    return plan
  }

  /// The job with the noise that its budget needs, where that is to be found.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration`` if there is no budget;
  ///   ``FederationError/Code/budgetExhausted`` if no noise is enough.
  func calibratedJob() throws -> Job {
    var job = job
    let isCalibrated = job.siteFilters.results.map {
      ($0.unscoped as? GaussianNoise)?.isCalibrated == true
    }
    guard let budget = job.privacy else {
      if isCalibrated.contains(true) { throw FederationError.notCalibrated(GaussianNoise.name) }
      if (job.workflow as? any PrivateWorkflow)?.isCalibrated == true {
        throw FederationError.notCalibrated(GaussianMean.name)
      }
      // Says the same of an executor.
      if job.executor.spendsPrivacy, let site = sites.first {
        _ = try job.executor.plannedEvents(site, resources())
      }
      return job
    }
    let calibration = try NoiseCalibration(budget, tolerance: 1e-3)
    if let workflow = job.workflow as? any PrivateWorkflow, workflow.isCalibrated {
      let model = try initialState()
      let (sites, quorum) = (sites, job.quorum)
      let noise = try calibration.smallest {
        try workflow.calibrated(to: $0).plannedEvents(for: model, sites: sites, quorum: quorum)
      }
      job.workflow = try workflow.calibrated(to: noise)
    }
    if isCalibrated.contains(true) {
      let filters = job.siteFilters.results
      let noise = try calibration.smallest { try filterEvents(Self.calibrated(filters, to: $0)) }
      job.siteFilters.results = try Self.calibrated(filters, to: noise)
    }
    return job
  }

  private static func calibrated(
    _ filters: [any Filter],
    to noise: Double
  ) throws -> [any Filter] {
    try filters.map { filter in
      guard let own = filter.unscoped as? GaussianNoise, own.isCalibrated else { return filter }
      let found = try own.calibrated(to: noise)
      return filter is ScopedFilter ? found.limited(to: filter.scope) : found
    }
  }

  /// What filters cost a site that is asked in all rounds.
  private func filterEvents(_ filters: [any Filter]) throws -> [PrivacyEvent] {
    let model = Exchange.weights(try initialState())
    return try job.workflow.steps.flatMap { part -> [PrivacyEvent] in
      let answer =
        part is Scaffold
        ? Exchange.collection([Aggregate.modelPart: model, Scaffold.controlPart: model]) : model
      let context = FilterContext(
        side: .site,
        direction: .result,
        site: sites.first,
        key: RandomKey(seed: 0),
        reference: answer
      )
      var earlier: [any Filter] = []
      for filter in filters where filter.scope.contains(.train) {
        if let spending = filter.unscoped as? any PrivacySpending {
          return try spending.privacyEvents(for: answer, in: context, after: earlier)
            .repeated(part.trainingsPerSite)
        }
        earlier.append(filter.unscoped)
      }
      return []
    }
  }
}

extension Workflow {
  /// How often a site is asked to train, at most.
  var trainingsPerSite: Int {
    switch self {
    case let chain as WorkflowChain:
      chain.workflows.reduce(0) { $0.addingUpToLimit($1.trainingsPerSite) }
    case let best as BestModel: best.workflow.trainingsPerSite
    case is InitialWeights, is CrossSiteEvaluation, is GlobalModelEvaluation, is StatisticsWorkflow:
      0
    case let buffered as FedBuff:
      // All updates of a buffer may come from one site.
      buffered.rounds.multipliedReportingOverflow(by: buffered.bufferSize).overflow
        ? .max : buffered.rounds * buffered.bufferSize
    default: rounds
    }
  }
}
