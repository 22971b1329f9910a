internal import TesseraCore

/// Adds Laplace noise to models: the Laplace mechanism (Dwork, McSherry, Nissim and Smith, 2006), if the sum of the magnitudes of
/// a change is bounded.
///
///     let filters = SiteFilters(results: [
///       try ClipNorm(norm: 1, measure: .l1), try LaplaceNoise(epsilon: 0.5, sensitivity: 2),
///     ])
///
/// Two changes whose magnitudes sum up to at most *C* are at most 2*C* apart. The noise comes from
/// ``FilterContext/secrets``.
public struct LaplaceNoise: Filter {
  /// The name in configurations.
  public static let name = "laplace-noise"
  /// The scale *b* of the density `exp(-|x| / b) / 2b`, in the unit of the weights.
  public let scale: Double
  /// The privacy loss of one answer, if it was given.
  public let epsilon: Double?
  /// How far two answers may be apart in the sum of magnitudes, if it was given.
  public let sensitivity: Double?
  /// What becomes of tensors without fractions.
  public let nonFloating: NonFloatingTensors

  /// Noise of a scale.
  ///
  /// - Parameters:
  ///   - scale: In the unit of the weights, at least 0; the standard deviation is `√2 · scale`.
  ///   - nonFloating: What becomes of tensors without fractions.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public init(
    scale: Double,
    nonFloating: NonFloatingTensors = .excluded
  ) throws {
    guard scale >= 0, scale.isFinite else {
      throw FederationError.invalid(Self.name, "scale", scale, "a number of at least 0")
    }
    self.scale = scale
    epsilon = nil
    sensitivity = nil
    self.nonFloating = nonFloating
  }

  /// Noise of the scale `sensitivity / epsilon`.
  ///
  /// - Parameters:
  ///   - epsilon: The privacy loss of one answer, above 0.
  ///   - sensitivity: How far two answers may be apart in the sum of magnitudes, above 0.
  ///   - nonFloating: What becomes of tensors without fractions.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public init(
    epsilon: Double = 1,
    sensitivity: Double = 1,
    nonFloating: NonFloatingTensors = .excluded
  ) throws {
    try FederationError.requirePositive(Self.name, "epsilon", epsilon)
    try FederationError.requirePositive(Self.name, "sensitivity", sensitivity)
    scale = sensitivity / epsilon
    guard scale.isFinite else {
      throw FederationError.invalid(Self.name, "epsilon", epsilon, "no smaller than it can divide")
    }
    self.epsilon = epsilon
    self.sensitivity = sensitivity
    self.nonFloating = nonFloating
  }

  /// The models with noise on every element.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/rejectedUpdate`` if a tensor is not finite.
  public func apply(to exchange: Exchange, in context: FilterContext) throws -> Exchange {
    try exchange.mapFloating(in: context, for: Self.name, others: nonFloating) {
      name,
      tensor,
      place in
      var noise = try place.noise(Self.name, tensor: name, over: [tensor])
      return try (tensor.to(.float64) + noise.laplace(tensor.shape, scale: scale))
        .to(tensor.dtype)
    }
  }
}
