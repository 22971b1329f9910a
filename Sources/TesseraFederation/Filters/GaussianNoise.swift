internal import TesseraCore

/// Adds normal noise to models: the Gaussian mechanism (Dwork and Roth, 2014, appendix A), if changes are clipped before.
///
///     let filters = SiteFilters(results: [
///       try ClipNorm(norm: 1), try GaussianNoise(noiseMultiplier: 0.8, clipNorm: 1),
///     ])
///
/// The noise comes from ``FilterContext/secrets``.
public struct GaussianNoise: Filter {
  /// The name in configurations.
  public static let name = "gaussian-noise"
  /// The noise's standard deviation, in the unit of the weights.
  public let standardDeviation: Double
  /// The standard deviation as a multiple of the length that changes are clipped to, if it was given so.
  public let noiseMultiplier: Double?
  /// The length that changes are clipped to, if it was given.
  public let clipNorm: Double?
  /// What becomes of tensors without fractions.
  public let nonFloating: NonFloatingTensors
  /// Whether the noise is still to be found from the budget of a job.
  var isCalibrated = false

  /// Noise of a standard deviation.
  ///
  /// - Parameters:
  ///   - standardDeviation: In the unit of the weights, at least 0.
  ///   - nonFloating: What becomes of tensors without fractions.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public init(
    standardDeviation: Double,
    nonFloating: NonFloatingTensors = .excluded
  ) throws {
    guard standardDeviation >= 0, standardDeviation.isFinite else {
      throw FederationError.invalid(
        Self.name,
        "standardDeviation",
        standardDeviation,
        "a number of at least 0"
      )
    }
    self.standardDeviation = standardDeviation
    noiseMultiplier = nil
    clipNorm = nil
    self.nonFloating = nonFloating
  }

  /// Noise in proportion to the length that changes are clipped to.
  ///
  /// - Parameters:
  ///   - noiseMultiplier: The standard deviation divided by the length, at least 0.
  ///   - clipNorm: The length, above 0.
  ///   - nonFloating: What becomes of tensors without fractions.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public init(
    noiseMultiplier: Double = 1,
    clipNorm: Double = 1,
    nonFloating: NonFloatingTensors = .excluded
  ) throws {
    guard noiseMultiplier >= 0, (noiseMultiplier * clipNorm).isFinite else {
      throw FederationError.invalid(
        Self.name,
        "noiseMultiplier",
        noiseMultiplier,
        "a number of at least 0"
      )
    }
    try FederationError.requirePositive(Self.name, "clipNorm", clipNorm)
    standardDeviation = noiseMultiplier * clipNorm
    self.noiseMultiplier = noiseMultiplier
    self.clipNorm = clipNorm
    self.nonFloating = nonFloating
  }

  /// The same with the noise that was found.
  func calibrated(to multiplier: Double) throws -> GaussianNoise {
    try GaussianNoise(
      noiseMultiplier: multiplier,
      clipNorm: clipNorm ?? 1,
      nonFloating: nonFloating
    )
  }

  /// The models with noise on every element.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/rejectedUpdate`` if a tensor is not finite.
  public func apply(to exchange: Exchange, in context: FilterContext) throws -> Exchange {
    guard !isCalibrated else { throw FederationError.notCalibrated(Self.name) }
    return try exchange.mapFloating(in: context, for: Self.name, others: nonFloating) {
      name,
      tensor,
      place in
      var noise = try place.noise(Self.name, tensor: name, over: [tensor])
      return try (tensor.to(.float64) + noise.normal(tensor.shape, deviation: standardDeviation))
        .to(tensor.dtype)
    }
  }
}
