internal import TesseraConfiguration

extension SecureAggregationPolicy {
  /// What sites demand of secure aggregation, as a job says it.
  init(_ demands: Mapping) throws {
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
        help: "how much noise there is in the sum at least, over the clip norm"
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
