internal import TesseraCore

/// A rule whose aggregate is made private by the server, and that can say what that costs.
public protocol PrivateAggregationRule: AggregationRule {
  /// What one aggregate costs.
  ///
  /// - Parameter draw: How the sites of the round are drawn.
  /// - Returns: The events, for an accountant.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration`` if that cannot be said.
  func events(for draw: SiteDraw) throws -> [PrivacyEvent]
}

/// The mean of updates, each of which counts the same and moves the model by at most a norm, with normal noise: differential
/// privacy for whole sites, by a server that is trusted (McMahan et al., 2018, "Learning differentially private recurrent
/// language models").
///
/// With *n* updates the model moves by `(Σ Δᵢ · min(1, C / ‖Δᵢ‖) + N(0, z²C²)) / n`. Neighbours are rounds in which one site's
/// update is there or is zero: *n* is the same in both. Where everybody may know who takes part, *n* is the number of updates,
/// which is public and not protected: that a site answered shows. Where who takes part is drawn in secret
/// (``SiteDraw/Method``), *n* is the number that was to be expected, since the true one would tell of the draw. Tensors of
/// whole numbers stay the model's. A site cannot leave out a tensor: fewer updates in its mean would need more noise. The noise
/// comes from ``AggregationRound/secrets``, and is added in `float64`, before anything is rounded to the model's types. The
/// result says nothing of the updates' weights.
///
/// With ``adaptive`` clipping the norm follows the updates: see ``AdaptiveClipping``. The workflow hands each round's norm to
/// the next.
public struct GaussianMean: PrivateAggregationRule {
  /// The name in configurations.
  public static let name = "gaussian-mean"
  /// The measurement of the aggregate that is the noised sum of centred bits, where clipping adapts.
  static let bitsMetric = "noised bits"

  /// How the norm follows the updates.
  public struct Adaptation: Sendable, Hashable {
    /// The share of updates that should be within the norm.
    public var targetQuantile: Double
    /// How fast the norm moves.
    public var learningRate: Double
    /// The noise on the count of updates within the norm; a twentieth of the expected number of updates, and no less than
    /// the noise multiplier, if `nil`.
    public var countDeviation: Double?

    /// The defaults are those of the paper.
    public init(
      targetQuantile: Double = 0.5,
      learningRate: Double = 0.2,
      countDeviation: Double? = nil
    ) {
      self.targetQuantile = targetQuantile
      self.learningRate = learningRate
      self.countDeviation = countDeviation
    }
  }

  /// The norm that each update's difference from the model is clipped to, *C*, over all floating-point tensors together; that of
  /// the first round if it adapts.
  public let clipNorm: Double
  /// The standard deviation of the noise on the sum over *C*, *z*: with an adapting norm, of both kinds of noise together.
  public let noiseMultiplier: Double
  /// How the norm follows the updates; it stays if `nil`.
  public let adaptive: Adaptation?
  /// Whether ``noiseMultiplier`` is still to be found from the budget of a job.
  var isCalibrated = false

  /// A mean with noise.
  ///
  /// - Parameters:
  ///   - clipNorm: The norm, that of the first round if it adapts, above 0.
  ///   - noiseMultiplier: The standard deviation of the noise on the sum of the updates, over the norm, above 0.
  ///   - adaptive: How the norm follows the updates; it stays if `nil`.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public init(clipNorm: Double, noiseMultiplier: Double, adaptive: Adaptation? = nil) throws {
    try FederationError.check(clipNorm, "clip_norm", above: 0)
    try FederationError.check(noiseMultiplier, "noise_multiplier", above: 0)
    try FederationError.check(clipNorm * noiseMultiplier, "clip_norm · noise_multiplier", above: 0)
    self.clipNorm = clipNorm
    self.noiseMultiplier = noiseMultiplier
    self.adaptive = adaptive
    _ = try clipping(expecting: 1e6)
  }

  /// What an aggregate costs.
  ///
  /// - ``SiteDraw/Method/fixed``: a Gaussian mechanism, as if every site took part. Its neighbours have one site's update or zero.
  /// - ``SiteDraw/Method/poisson``: one on a Poisson sample.
  /// - ``SiteDraw/Method/withoutReplacement``: one on a sample of a fixed size. Its neighbours have one site replaced by another,
  ///   whose updates are up to 2*C* apart: accountants do not mix it with the others.
  public func events(for draw: SiteDraw) -> [PrivacyEvent] {
    switch draw.method {
    case .fixed: [PrivacyEvent(.gaussian(noiseMultiplier: noiseMultiplier))]
    case .poisson:
      [
        PrivacyEvent(
          .subsampledGaussian(noiseMultiplier: noiseMultiplier, samplingRate: draw.rate)
        )
      ]
    case .withoutReplacement:
      [
        PrivacyEvent(
          .gaussianWithoutReplacement(
            noiseMultiplier: noiseMultiplier / 2,
            samplingRate: draw.rate
          )
        )
      ]
    }
  }

  /// The clipping of a round of so many updates, if it adapts.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  func clipping(expecting updates: Double) throws -> AdaptiveClipping? {
    guard let adaptive else { return nil }
    return try AdaptiveClipping(
      bound: clipNorm,
      targetQuantile: adaptive.targetQuantile,
      learningRate: adaptive.learningRate,
      noiseMultiplier: noiseMultiplier,
      countDeviation: adaptive.countDeviation ?? max(updates / 20, noiseMultiplier)
    )
  }

  /// The same with the noise that was found.
  func calibrated(to multiplier: Double) throws -> GaussianMean {
    try GaussianMean(clipNorm: clipNorm, noiseMultiplier: multiplier, adaptive: adaptive)
  }

  /// The same with another norm.
  func clipping(to norm: Double) throws -> GaussianMean {
    try GaussianMean(clipNorm: norm, noiseMultiplier: noiseMultiplier, adaptive: adaptive)
  }

  /// A mean that has taken nothing yet.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration`` if the round has no secrets for the
  ///   noise.
  public func begin(_ round: AggregationRound) throws -> any Aggregation {
    guard !isCalibrated else { throw FederationError.notCalibrated(Self.name) }
    guard let secrets = round.secrets else {
      throw FederationError(
        code: .invalidConfiguration,
        message: "'\(Self.name)' is for means that the server takes"
      )
    }
    let clipping = try clipping(expecting: round.divisor ?? Double(max(round.sites.count, 1)))
    return NoisyMean(
      bounded: BoundedMean(
        mean: try RunningMean(
          updating: round.reference,
          capacity: Double(max(round.sites.count, 1))
        ),
        model: round.reference,
        bound: clipNorm
      ),
      divisor: round.divisor,
      deviation: clipping?.updateDeviation ?? noiseMultiplier * clipNorm,
      clipping: clipping,
      secrets: secrets
    )
  }
}

/// The noisy mean of updates that are cut to a norm.
private struct NoisyMean: Aggregation {
  var bounded: BoundedMean
  /// What the sum is divided by; the number of updates if `nil`.
  let divisor: Double?
  let deviation: Double
  let clipping: AdaptiveClipping?
  let secrets: SecretSource
  private var bits = 0.0
  private var count = 0.0

  init(
    bounded: BoundedMean,
    divisor: Double?,
    deviation: Double,
    clipping: AdaptiveClipping?,
    secrets: SecretSource
  ) {
    self.bounded = bounded
    self.divisor = divisor
    self.deviation = deviation
    self.clipping = clipping
    self.secrets = secrets
  }

  mutating func fold(_ update: Exchange, from site: Site) throws -> Double {
    let tensors = try update.tensors(matching: bounded.model, from: site)
    if let missing = zip(bounded.model.names, tensors).first(where: { $0.1 == nil }) {
      throw FederationError.rejected(
        site,
        "its tensor '\(missing.0)' is missing, which '\(GaussianMean.name)' does not allow"
      )
    }
    let scale = try bounded.scale(of: update, from: site)
    // Whatever it says about its weight, an update counts once.
    let weight = try bounded.mean.fold(update, weight: 1, scaledBy: scale, from: site)
    bits += scale == 1 ? 0.5 : -0.5
    count += 1
    return weight
  }

  mutating func takeBack(_ update: Exchange, weight: Double, from site: Site) throws {
    let scale = try bounded.scale(of: update, from: site)
    try bounded.mean.takeBack(update, weight: weight, scaledBy: scale, from: site)
    bits -= scale == 1 ? 0.5 : -0.5
    count -= 1
  }

  mutating func result() throws -> Exchange {
    let model = bounded.model
    let divisor = divisor ?? count
    // Of a secret draw even that nobody was drawn must not show.
    let isEmpty = count == 0 && self.divisor != nil
    // As wide as there is: rounding to the model's types before the noise would move neighbours farther apart than the norm. And
    // without metadata, whose weight is the number of updates.
    var mean = Exchange.weights(isEmpty ? model : try bounded.mean.takeWideMean())
    // Follows from the mean, too: two means never get the same noise.
    let digest = secrets == .system ? "" : try SecretNoise.digest(of: mean.tensors.tensors)
    var noise = SecretNoise(secrets.derived(digest))
    let share = count / divisor
    mean.tensors = try mean.tensors.mapTensors { name, tensor in
      guard let start = model[name], start.dtype.isFloatingPoint else {
        return model[name] ?? tensor
      }
      var wide = try tensor.to(.float64)
      if share != 1 {
        let base = try start.to(.float64)
        wide = try base + (wide - base) * share
      }
      return try (wide + noise.normal(tensor.shape, deviation: deviation / divisor))
        .to(start.dtype)
    }
    if let clipping {
      mean.metrics[GaussianMean.bitsMetric] =
        bits + (try noise.normal([], deviation: clipping.countDeviation).item())
    }
    return mean
  }
}

extension AggregationRule {
  /// Refuses clipping that adapts in a workflow that does not carry the norm from round to round.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration`` naming the workflow.
  func requireFixedClipping(in workflow: String) throws {
    guard (self as? GaussianMean)?.adaptive != nil else { return }
    throw FederationError(
      code: .invalidConfiguration,
      message: "'clip: adaptive' is for 'fedavg': in '\(workflow)' the norm would never adapt"
    )
  }
}

extension AggregationRule where Self == GaussianMean {
  /// The mean of updates that move the model by at most a norm each, with normal noise.
  ///
  /// - Parameters:
  ///   - clipNorm: The norm.
  ///   - noiseMultiplier: The standard deviation of the noise on the sum of the updates, over the norm.
  ///   - adaptive: How the norm follows the updates; it stays if `nil`.
  /// - Returns: The rule.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public static func gaussianMean(
    clipNorm: Double,
    noiseMultiplier: Double,
    adaptive: GaussianMean.Adaptation? = nil
  ) throws -> Self {
    try Self(clipNorm: clipNorm, noiseMultiplier: noiseMultiplier, adaptive: adaptive)
  }
}
