public import TesseraCore

extension SecureAggregation {
  /// What a round's sites are told: the configuration of the masks, and what their vectors are.
  ///
  /// - Parameters:
  ///   - session: Names this one sum; no two have the same.
  ///   - round: The round, for messages.
  ///   - model: What sites are sent.
  ///   - sites: Who is asked.
  ///   - quorum: How many must be in the sum.
  ///   - isSigned: Whether sites vouch for their keys.
  /// - Returns: Both.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration`` if the settings do not fit the sites.
  func agreed(
    session: String,
    round: Int,
    model: ModelState,
    sites: [Site],
    quorum: Quorum,
    isSigned: Bool = false
  ) throws -> (configuration: SecureAggregationConfiguration, terms: SecureTerms) {
    let encoding = try FixedPointEncoding(
      layoutOf: model,
      bound: bound,
      largestWeight: noise == nil ? Double(sites.map(\.exampleCount).max() ?? 1) : 1,
      sites: sites.count,
      // Fine enough for the noise to be what it should, and coarse enough for it to be sampled exactly.
      resolution: noise.map { $0.multiplier * $0.clipNorm * 0x1p-18 }
    )
    let survivors = try survivors(of: sites.count, quorum: quorum)
    let terms = SecureTerms(
      encoding: encoding,
      clips: clips,
      noise: noise,
      noisySites: survivors.honest
    )
    let neighbourhood = try assumptions.neighbourhood(of: sites.count)
    return (
      try SecureAggregationConfiguration(
        session: session,
        round: round,
        sites: sites.map(\.index),
        degree: neighbourhood.degree,
        threshold: neighbourhood.threshold,
        minimumSurvivors: survivors.all,
        vectorLength: encoding.vectorLength,
        agreement: terms.agreement,
        signed: isSigned
      ), terms
    )
  }

  /// How many vectors the sum is of at least, and how many of them are of honest sites.
  private func survivors(of sites: Int, quorum: Quorum) throws -> (all: Int, honest: Int) {
    let neighbourhood = try assumptions.neighbourhood(of: sites)
    // In a complete graph the threshold alone decides whether secrets can be had.
    let least =
      neighbourhood.degree == sites - 1
      ? neighbourhood.threshold
      : max(neighbourhood.threshold, sites - assumptions.dropouts(of: sites))
    let all = max(least, 2, min(quorum.minimum, sites))
    return (all, max(1, all - assumptions.corrupt(of: sites)))
  }

  /// What one sum costs in privacy, towards whoever sees it: the server, and everyone who is sent the next model.
  ///
  /// Neighbours are rounds with an update of one site or without it, where who takes part is known to all. The sum is reckoned to
  /// be of as few sites as the protocol lets through, and to have the noise of the honest among them alone: with Δ the clip norm
  /// and what rounding to whole units adds to it, σ the deviation that their shares have together, it is
  /// `ρ`-concentrated with `ρ = Δ²/2σ²`, and a little more because a sum of discrete Gaussians is not quite one
  /// (Kairouz, Liu & Steinke, 2021, "The distributed discrete Gaussian mechanism", proposition 14;
  /// ``DistributedNoise/concentratedEpsilon(sensitivity:dimension:)`` is √(2ρ)). That sites are drawn by chance is not taken into
  /// account, which is on the safe side.
  ///
  ///     let settings = SecureAggregation(noise: try .init(clipNorm: 1, multiplier: 2))
  ///     let events = try settings.privacyEvents(for: state.model, sites: sites, quorum: Quorum(minimum: 6))
  ///
  /// - Parameters:
  ///   - model: The model that sites are sent: its number of floating-point elements counts.
  ///   - sites: Who is asked in the round; how many they are counts.
  ///   - quorum: How many of them must be in the sum; the round is abandoned with fewer.
  /// - Returns: One event, or none if there is no noise: then the sum is not private, only what it is made of.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration`` if the settings do not fit the sites.
  public func privacyEvents(
    for model: ModelState,
    sites: [Site],
    quorum: Quorum = Quorum()
  ) throws -> [PrivacyEvent] {
    guard let noise else { return [] }
    let terms = try agreed(session: "", round: 0, model: model, sites: sites, quorum: quorum).terms
    guard let distributed = try terms.distributedNoise() else { return [] }
    let epsilon = distributed.concentratedEpsilon(
      sensitivity: terms.sensitivity(ofNorm: noise.clipNorm),
      dimension: terms.encoding.elementCount
    )
    return [PrivacyEvent(.concentrated(rho: epsilon * epsilon / 2))]
  }
}
