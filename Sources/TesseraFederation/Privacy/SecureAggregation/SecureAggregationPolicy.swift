/// What a site demands of secure aggregation before it takes part: its own, whatever the server says.
///
/// The server chooses how many sites are summed, how many of them must help to unmask, and how much noise there is; a hostile one
/// would choose so that a sum shows a single update. A site checks the choice before it makes a key, and answers nothing if it is
/// not enough. That a threshold is above half of a neighbourhood is required of every configuration.
///
/// A site with a ``SiteIdentity`` takes part in signed rounds of known sites alone: the server can then neither put keys of its own
/// in the place of others', nor fill a sum with sites that it has made up.
///
///     let policy = SecureAggregationPolicy(minimumSites: 10, minimumNoiseMultiplier: 1)
///     let worker = SiteWorker(executor: executor, policy: policy, identities: [site.index: identity])
public struct SecureAggregationPolicy: Sendable, Hashable {
  /// How many sites' updates a sum must be of at least.
  ///
  /// Of two, each site could read the other's.
  public var minimumSites: Int
  /// How many must help to have a secret of the site's at least.
  public var minimumThreshold: Int
  /// Which share of the site and its neighbours these must be at least, in `0...1`.
  public var minimumThresholdShare: Double
  /// The largest share of the sites asked that may be missing from the sum, in `0..<1`.
  public var maximumDropoutFraction: Double
  /// The least noise, if there must be any: its deviation over the most that one update can change the sum by, rounding reckoned
  /// in.
  ///
  /// `nil` takes part in sums without noise too. Sites of a job whose sums all have noise demand what that comes to, where the job
  /// names no other.
  public var minimumNoiseMultiplier: Double?
  /// The share of the sites that may work together with the server, in `0..<1`, rounded up: their part of the noise does not
  /// count.
  public var corruptFraction: Double

  /// Demands; the usual ones are met by ``SecureAggregation`` as it usually is, without noise, for three sites or more.
  public init(
    minimumSites: Int = 3,
    minimumThreshold: Int = 2,
    minimumThresholdShare: Double = 0.5,
    maximumDropoutFraction: Double = 0.5,
    minimumNoiseMultiplier: Double? = nil,
    corruptFraction: Double = 0.05
  ) {
    self.minimumSites = minimumSites
    self.minimumThreshold = minimumThreshold
    self.minimumThresholdShare = minimumThresholdShare
    self.maximumDropoutFraction = maximumDropoutFraction
    self.minimumNoiseMultiplier = minimumNoiseMultiplier
    self.corruptFraction = corruptFraction
  }

  /// Demands that are met where both these and others are.
  public func stricter(and other: Self) -> Self {
    let noise = [minimumNoiseMultiplier, other.minimumNoiseMultiplier].compactMap { $0 }
    return Self(
      minimumSites: max(minimumSites, other.minimumSites),
      minimumThreshold: max(minimumThreshold, other.minimumThreshold),
      minimumThresholdShare: max(minimumThresholdShare, other.minimumThresholdShare),
      maximumDropoutFraction: min(maximumDropoutFraction, other.maximumDropoutFraction),
      minimumNoiseMultiplier: noise.max(),
      corruptFraction: max(corruptFraction, other.corruptFraction)
    )
  }

  /// Refuses a configuration that does not meet the demands.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/protocolViolation`` that names the site, what is offered and
  ///   what is demanded.
  public func check(_ configuration: SecureAggregationConfiguration, at site: Site) throws {
    let sites = configuration.sites.count
    try demand(
      configuration.minimumSurvivors >= minimumSites,
      "a sum of \(configuration.minimumSurvivors) sites where \(minimumSites) are demanded",
      at: site
    )
    try demand(
      configuration.threshold >= minimumThreshold,
      "a threshold of \(configuration.threshold) where \(minimumThreshold) is demanded",
      at: site
    )
    let share = Double(configuration.threshold) / Double(configuration.degree + 1)
    try demand(
      share >= minimumThresholdShare,
      """
      a threshold of \(configuration.threshold) of \(configuration.degree + 1) where a share of \
      \(minimumThresholdShare) is demanded
      """,
      at: site
    )
    let missing = Double(sites - configuration.minimumSurvivors) / Double(sites)
    try demand(
      missing <= maximumDropoutFraction,
      """
      a sum that \(sites - configuration.minimumSurvivors) of \(sites) sites may be missing from, where a share of \
      \(maximumDropoutFraction) is the most
      """,
      at: site
    )
  }

  func check(
    _ configuration: SecureAggregationConfiguration,
    _ terms: SecureTerms,
    at site: Site,
    identity: SiteIdentity?
  ) throws {
    try check(configuration, at: site)
    if let identity {
      try demand(configuration.signed, "a round that is not signed", at: site)
      let strangers = configuration.sites.filter { $0 != site.index && identity.peers[$0] == nil }
      try demand(
        strangers.isEmpty,
        "a sum with \(strangers.count) sites that it does not know, \(strangers.first ?? 0) the first",
        at: site
      )
    }
    try demand(
      (1...configuration.minimumSurvivors).contains(terms.noisySites),
      "noise of \(terms.noisySites) sites where \(configuration.minimumSurvivors) may be all there are",
      at: site
    )
    guard let minimumNoiseMultiplier else { return }
    let multiplier = try noiseMultiplier(of: configuration, terms)
    try demand(
      multiplier >= minimumNoiseMultiplier,
      "a noise multiplier of \(multiplier) where \(minimumNoiseMultiplier) is demanded",
      at: site
    )
  }

  /// What the noise of the honest survivors comes to, 0 if there is none.
  func noiseMultiplier(
    of configuration: SecureAggregationConfiguration,
    _ terms: SecureTerms
  ) throws -> Double {
    try 1 / concentratedEpsilon(of: configuration, terms)
  }

  /// What a sum costs a site, by the noise of as few honest survivors as there may be; nothing if no such noise can be counted.
  func privacyEvents(
    of configuration: SecureAggregationConfiguration,
    _ terms: SecureTerms
  ) throws -> [PrivacyEvent] {
    let epsilon = try concentratedEpsilon(of: configuration, terms)
    return epsilon.isFinite ? [PrivacyEvent(.concentrated(rho: epsilon * epsilon / 2))] : []
  }

  /// The ε of the ½ε²-concentrated privacy of a sum; infinity without noise.
  private func concentratedEpsilon(
    of configuration: SecureAggregationConfiguration,
    _ terms: SecureTerms
  ) throws -> Double {
    guard let noise = terms.noise, let distributed = try terms.distributedNoise() else {
      return .infinity
    }
    let bounds = NeighbourhoodBounds(corruptFraction: corruptFraction)
    let honest = configuration.minimumSurvivors - bounds.corrupt(of: configuration.sites.count)
    return distributed.concentratedEpsilon(
      sensitivity: terms.sensitivity(ofNorm: noise.clipNorm),
      dimension: terms.encoding.elementCount,
      survivors: honest
    )
  }

  private func demand(_ holds: Bool, _ offer: @autoclosure () -> String, at site: Site) throws {
    guard !holds else { return }
    throw FederationError(
      code: .protocolViolation,
      message: "secure aggregation: \(site.name) does not take part: \(offer())"
    )
  }
}
