internal import TesseraCore

/// How sites train privately, as a job's file says it.
struct PrivateTrainingPlan: Sendable {
  /// With the noise that the file gives, or with any if it is to be calibrated.
  let sgd: PrivateSGD
  /// Whether the noise is that which the job's budget needs.
  let isCalibrated: Bool
  let batchSize: Int
  let epochs: Int
  /// How often a site trains in one task.
  let trainings: Int
  /// The share of each site's examples that it holds out, if the file says one.
  let holdout: Double?

  /// The SGD of a job: with one noise for all sites, enough for the one that spends most.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration`` if it is to be calibrated, and the job
  ///   has no budget; ``FederationError/Code/budgetExhausted`` if no noise is enough.
  func sgd(for resources: JobResources) throws -> PrivateSGD {
    guard isCalibrated else { return sgd }
    guard let budget = resources.budget else { throw FederationError.notCalibrated("private_sgd") }
    let counts = Set(resources.sites.map { examples(at: $0, resources) }).filter { $0 > 0 }
    func cost(_ count: Int, _ noise: Double) throws -> [PrivacyEvent] {
      try PrivateSGD(clipNorm: sgd.clipNorm, noiseMultiplier: noise)
        .events(batchSize: batchSize, examples: count, epochs: epochs)
        .repeated(trainings).repeated(resources.trainings)
    }
    let calibration = try NoiseCalibration(budget, tolerance: 1e-3)
    var noise: Double?
    // Small sites spend most as a rule; the others are looked at, too.
    for count in counts.sorted() {
      if let noise, try budget.epsilon(of: cost(count, noise)) <= budget.epsilon { continue }
      noise = max(noise ?? 0, try calibration.smallest { try cost(count, $0) })
    }
    return try PrivateSGD(clipNorm: sgd.clipNorm, noiseMultiplier: noise ?? 1)
  }

  /// How many examples a site trains on.
  private func examples(at site: Site, _ resources: JobResources) -> Int {
    let share =
      holdout
      ?? (resources.workflow.tasks.contains(.evaluate) ? JobComponents.usualHoldout : 0)
    let count = site.exampleCount
    return count - min(Int((Double(count) * share).rounded()), max(count - 1, 0))
  }

  /// What one task of training costs a site.
  func events(at site: Site, _ resources: JobResources) throws -> [PrivacyEvent] {
    try sgd(for: resources)
      .events(batchSize: batchSize, examples: examples(at: site, resources), epochs: epochs)
      .repeated(trainings)
  }
}
