internal import TesseraConfiguration

extension Job {
  /// Refuses protections that would silently protect nothing, or that exclude each other.
  func checkProtection(_ job: Mapping) throws {
    if isEncrypted { try checkEncryption(job) }
    if workflow.isSecurelyAggregated {
      try checkSecureAggregation(job)
    } else if sitePolicy != SecureAggregationPolicy() {
      throw job.error(at: "site_policy", "is about secure aggregation, which the workflow has not")
    }
  }

  private func checkEncryption(_ job: Mapping) throws {
    if let reason = workflow.reasonAgainstEncryption {
      throw job.error(at: "encryption", "is not possible: \(reason)")
    }
    guard serverFilters.tasks.isEmpty, serverFilters.results.isEmpty else {
      throw job.error(at: "filters", "of the server cannot read models that the sites encrypt")
    }
    if let coding = Self.coding(in: siteFilters.results) {
      throw job.error(at: "filters", "'\(coding)' leaves codes, and only numbers can be encrypted")
    }
  }

  private func checkSecureAggregation(_ job: Mapping) throws {
    guard serverFilters.results.isEmpty else {
      throw job.error(at: "filters", "of the server for results cannot read masked answers")
    }
    if let coding = Self.coding(in: siteFilters.results) {
      throw job.error(
        at: "filters",
        "'\(coding)' leaves codes, and only numbers can be masked and added"
      )
    }
    let settings = workflow.steps.compactMap { ($0 as? FedAvg)?.secure }
    if settings.contains(where: { $0.noise == nil }), sitePolicy.minimumNoiseMultiplier != nil {
      throw job.error(at: "site_policy", "demands noise, and 'secure_aggregation' has none")
    }
    guard let sites else { return }
    for secure in settings { _ = try secure.assumptions.neighbourhood(of: sites) }
  }

  /// The name of the first filter whose output is no model that can be computed with.
  private static func coding(in filters: [any Filter]) -> String? {
    filters.lazy.compactMap { filter in
      filter.unscoped is Quantize || filter.unscoped is TopK ? filter.shownName : nil
    }.first
  }
}

extension Schema where Value == SecureAggregationPolicy {
  /// What sites demand of secure aggregation.
  static var sitePolicy: Schema {
    .mapping { demands in
      let usual = SecureAggregationPolicy()
      return SecureAggregationPolicy(
        minimumSites: try demands.optional(
          "minimum_sites",
          .integer(in: 2...1_000_000),
          default: usual.minimumSites
        ),
        minimumThreshold: try demands.optional(
          "minimum_threshold",
          .integer(in: 2...1_000_000),
          default: usual.minimumThreshold
        ),
        minimumThresholdShare: try demands.optional(
          "minimum_threshold_share",
          .number(in: 0...1),
          default: usual.minimumThresholdShare
        ),
        maximumDropoutFraction: try demands.optional(
          "maximum_dropout_fraction",
          .number(in: 0...0.99),
          default: usual.maximumDropoutFraction
        ),
        minimumNoiseMultiplier: try demands.optional(
          "minimum_noise_multiplier",
          .number(in: 1e-3...1e6)
        ),
        corruptFraction: try demands.optional(
          "corrupt_fraction",
          .number(in: 0...0.99),
          default: usual.corruptFraction
        )
      )
    }
  }
}
