internal import TesseraCore

/// The mean of updates, each of which counts the same and moves the model by at most a norm, with normal noise: differential
/// privacy for whole sites, by a server that is trusted (McMahan et al., 2018, "Learning differentially private recurrent
/// language models").
///
/// With *n* updates the model moves by `(Σ Δᵢ · min(1, C / ‖Δᵢ‖) + N(0, z²C²)) / n`. Neighbours are rounds with an update of one
/// site or without it, where *n* and who takes part are known to all. Tensors of whole numbers stay the model's. A site cannot
/// leave out a tensor: fewer updates in its mean would need more noise.
public struct GaussianMean: AggregationRule {
  /// The name in configurations.
  public static let name = "gaussian-mean"
  /// The norm that each update's difference from the model is clipped to, *C*, over all floating-point tensors together.
  public let clipNorm: Double
  /// The standard deviation of the noise on the sum over *C*, *z*.
  public let noiseMultiplier: Double

  /// A mean with noise.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration`` unless both are above 0.
  public init(clipNorm: Double, noiseMultiplier: Double) throws {
    try FederationError.check(clipNorm, "clip_norm", above: 0)
    try FederationError.check(noiseMultiplier, "noise_multiplier", above: 0)
    try FederationError.check(clipNorm * noiseMultiplier, "clip_norm · noise_multiplier", above: 0)
    self.clipNorm = clipNorm
    self.noiseMultiplier = noiseMultiplier
  }

  /// What a round costs; that sites are drawn by chance is not taken into account, which is on the safe side.
  public var events: [PrivacyEvent] { [PrivacyEvent(.gaussian(noiseMultiplier: noiseMultiplier))] }

  /// A mean that has taken nothing yet.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration`` if the round has no key for the noise.
  public func begin(_ round: AggregationRound) throws -> any Aggregation {
    guard let key = round.key else {
      throw FederationError(
        code: .invalidConfiguration,
        message: "'\(Self.name)' is for means that the server takes"
      )
    }
    return NoisyMean(
      bounded: BoundedMean(
        mean: try RunningMean(
          updating: round.reference,
          capacity: Double(max(round.sites.count, 1))
        ),
        model: round.reference,
        bound: clipNorm
      ),
      deviation: noiseMultiplier * clipNorm,
      key: key
    )
  }
}

/// The noisy mean of updates that are cut to a norm.
private struct NoisyMean: Aggregation {
  var bounded: BoundedMean
  let deviation: Double
  let key: RandomKey

  mutating func fold(_ update: Exchange, from site: Site) throws -> Double {
    let tensors = try update.tensors(matching: bounded.model, from: site)
    if let missing = zip(bounded.model.names, tensors).first(where: { $0.1 == nil }) {
      throw FederationError.rejected(
        site,
        "its tensor '\(missing.0)' is missing, which '\(GaussianMean.name)' does not allow"
      )
    }
    return try bounded.fold(Self.counted(update), from: site)
  }

  mutating func takeBack(_ update: Exchange, weight: Double, from site: Site) throws {
    try bounded.takeBack(Self.counted(update), weight: weight, from: site)
  }

  mutating func result() throws -> Exchange {
    let updates = bounded.mean.totalWeight
    var mean = try bounded.result()
    let model = bounded.model
    mean.tensors = try mean.tensors.mapTensors { name, tensor in
      guard tensor.dtype.isFloatingPoint else { return model[name] ?? tensor }
      let noise = try Tensor.normal(
        tensor.shape,
        deviation: deviation / updates,
        dtype: tensor.dtype.computing,
        using: Generator(key: key[name])
      )
      return try (tensor.to(noise.dtype) + noise).to(tensor.dtype)
    }
    return mean
  }

  /// Whatever it says about its weight, an update counts once.
  private static func counted(_ update: Exchange) -> Exchange {
    var update = update
    update.metadata.weight = 1
    return update
  }
}

extension AggregationRule where Self == GaussianMean {
  /// The mean of updates that move the model by at most a norm each, with normal noise.
  ///
  /// - Parameters:
  ///   - clipNorm: The norm.
  ///   - noiseMultiplier: The standard deviation of the noise on the sum of the updates, over the norm.
  /// - Returns: The rule.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration`` unless both are above 0.
  public static func gaussianMean(clipNorm: Double, noiseMultiplier: Double) throws -> Self {
    try Self(clipNorm: clipNorm, noiseMultiplier: noiseMultiplier)
  }
}
