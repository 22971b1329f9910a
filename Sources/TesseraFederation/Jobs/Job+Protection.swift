public import TesseraConfiguration
public import TesseraCore

extension Job {
  /// What each site demands of secure aggregation: what the job says, and as much noise as it promises.
  ///
  /// Where the job does not say how much noise is demanded, and all of its sums have noise, that is what the least of them comes to
  /// by the sites' own reckoning: a server that changes the terms to less gets no answer.
  ///
  /// - Parameters:
  ///   - model: What sites are sent.
  ///   - sites: All sites.
  /// - Returns: The demands.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration`` if the settings do not fit the sites.
  public func sitePolicy(for model: ModelState, sites: [Site]) throws -> SecureAggregationPolicy {
    var policy = sitePolicy
    guard policy.minimumNoiseMultiplier == nil else { return policy }
    var multipliers: [Double] = []
    for case let fedAvg as FedAvg in workflow.steps {
      guard let secure = fedAvg.secure else { continue }
      guard secure.noise != nil else { return policy }
      let asked = SiteSample.count(of: sites.count, fraction: fedAvg.fraction)
      let (configuration, terms) = try secure.agreed(
        session: "",
        round: 0,
        model: model,
        sites: Array(sites.prefix(asked)),
        quorum: quorum
      )
      multipliers.append(try sitePolicy.noiseMultiplier(of: configuration, terms))
    }
    // Less the last digits; and never nothing, which a sum without noise would satisfy.
    policy.minimumNoiseMultiplier = multipliers.min().map {
      max($0 * (1 - 0x1p-20), .leastNormalMagnitude)
    }
    return policy
  }
}

extension SecureAggregationPolicy {
  /// What sites demand of secure aggregation, as a job's file says it, or a site's own.
  ///
  /// - Throws: `ConfigurationError` if it is said wrongly.
  public init(_ demands: Mapping) throws {
    let usual = SecureAggregationPolicy()
    self.init(
      minimumSites: try demands.optional(
        "minimum_sites",
        .integer(in: 2...1_000_000),
        default: usual.minimumSites,
        help: "how many sites are in a sum at least"
      ),
      minimumThreshold: try demands.optional(
        "minimum_threshold",
        .integer(in: 2...1_000_000),
        default: usual.minimumThreshold,
        help: "how many shares open a secret at least"
      ),
      minimumThresholdShare: try demands.optional(
        "minimum_threshold_share",
        .number(in: 0...1),
        default: usual.minimumThresholdShare,
        help: "the same as a share of those that hold one"
      ),
      maximumDropoutFraction: try demands.optional(
        "maximum_dropout_fraction",
        .number(in: 0...0.99),
        default: usual.maximumDropoutFraction,
        help: "the largest share of the sites that may drop out"
      ),
      minimumNoiseMultiplier: try demands.optional(
        "minimum_noise_multiplier",
        .number(in: 1e-3...1e6),
        help: """
          how much noise there is in the sum at least, over the clip norm; what the job's own `noise` comes to if it is \
          not said
          """
      ),
      corruptFraction: try demands.optional(
        "corrupt_fraction",
        .number(in: 0...0.99),
        default: usual.corruptFraction,
        help: "the share of the sites that may work together with the server"
      )
    )
  }
}
