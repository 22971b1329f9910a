internal import TesseraCore

/// What a site and the server agree on beside the configuration of the masks.
struct SecureTerms: Codable {
  /// How updates become vectors.
  var encoding: FixedPointEncoding
  /// Whether elements beyond the bound are moved to it.
  var clips: Bool
  /// The noise that each site adds its share of.
  var noise: SecureAggregation.Noise?
  /// How many sites' shares give the noise its deviation: the survivors less those that may be corrupt.
  var noisySites: Int

  /// For ``SecureAggregationConfiguration/agreement``: sites that were told different things cannot be added up.
  var agreement: String {
    let noise = noise.map { "norm \($0.clipNorm), noise \($0.multiplier) of \(noisySites) sites" }
    return "\(encoding.fingerprint); clips \(clips); \(noise ?? "no noise")"
  }

  /// The Euclidean norm, in units, of the vector of an update that was clipped to a norm, at most.
  ///
  /// A clipped update may be longer by the last digits of its own arithmetic.
  func sensitivity(ofNorm norm: Double) -> Double {
    encoding.sensitivity(ofNorm: norm * (1 + 0x1p-30))
  }

  /// How a site's share of the noise is drawn; `nil` without noise.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration`` if there can be no such share.
  func distributedNoise() throws -> DistributedNoise? {
    try noise.map {
      try DistributedNoise(
        deviation: $0.multiplier * $0.clipNorm,
        of: encoding,
        minimumSurvivors: noisySites
      )
    }
  }
}
