/// How something was made private before it was released, as far as an accountant must know.
///
/// Noise is given as a multiplier: its scale over the sensitivity, the most that one neighbour can change the released
/// value by. What a neighbour is, the mechanism says with ``neighbors``: a dataset with one record (or one site) more or
/// less, or one with a record replaced by another; where it says nothing, the sensitivity decides, and is taken to be that of
/// adding or removing one: accountants refuse such a mechanism beside one for replacing. A Gaussian mechanism for replacing is a
/// ``gaussianWithoutReplacement(noiseMultiplier:samplingRate:)`` of all records.
///
///     // DP-SGD: noise of 1.1 times the clipping bound on batches of 256 out of 60,000 examples, drawn independently
///     let step = PrivacyMechanism.subsampledGaussian(noiseMultiplier: 1.1, samplingRate: 256.0 / 60_000)
///     var accountant = RDPAccountant()
///     try accountant.compose(step, count: 14_000)
///     let epsilon = try accountant.epsilon(delta: 1e-5)
public enum PrivacyMechanism: Codable, Sendable, Hashable {
  /// Gaussian noise whose standard deviation is `noiseMultiplier` times the L2 sensitivity (Dwork & Roth, 2014).
  case gaussian(noiseMultiplier: Double)

  /// Laplace noise whose scale *b* is `noiseMultiplier` times the L1 sensitivity (Dwork et al., 2006).
  ///
  /// It is `1 / noiseMultiplier`-DP.
  case laplace(noiseMultiplier: Double)

  /// The Gaussian mechanism on a Poisson sample: every record takes part independently, with probability `samplingRate`.
  ///
  /// The sensitivity is that of adding or removing one record (Mironov, Talwar & Zhang, 2019).
  case subsampledGaussian(noiseMultiplier: Double, samplingRate: Double)

  /// The Gaussian mechanism on a sample of fixed size, `samplingRate` times all records, drawn without replacement.
  ///
  /// The sensitivity is that of replacing one record: twice the bound to which records are clipped
  /// (Wang, Balle & Kasiviswanathan, 2019).
  case gaussianWithoutReplacement(noiseMultiplier: Double, samplingRate: Double)

  /// Anything that is `epsilon`-DP with δ = 0, such as the sparse vector technique.
  case pure(epsilon: Double)

  /// Anything that is ρ-zero-concentrated DP (Bun & Steinke, 2016, definition 1.1): the Rényi divergence of order α is at most
  /// ρ·α for every α above 1.
  ///
  /// Noise that sites add together is, which is no normal distribution, only near one: ``SecureAggregation``. Nothing more is
  /// known about such a mechanism's privacy loss, so ``RDPAccountant`` accounts for it and ``PLDAccountant`` refuses it.
  case concentrated(rho: Double)

  /// Which datasets count as neighbours.
  public enum Neighbors: String, Codable, Sendable {
    /// One record more or less.
    case addOrRemove
    /// One record replaced by another.
    case replace
  }

  /// The neighbours that this mechanism's noise multiplier is meant for, or `nil` where its sensitivity decides.
  public var neighbors: Neighbors? {
    switch self {
    case .gaussian, .laplace, .pure, .concentrated: nil
    case .subsampledGaussian: .addOrRemove
    case .gaussianWithoutReplacement: .replace
    }
  }

  /// What it is called in messages.
  var name: String {
    switch self {
    case .gaussian: "gaussian"
    case .laplace: "laplace"
    case .subsampledGaussian: "subsampledGaussian"
    case .gaussianWithoutReplacement: "gaussianWithoutReplacement"
    case .pure: "pure"
    case .concentrated: "concentrated"
    }
  }

  /// The ε for which it is (ε, 0)-DP, or infinity if there is none.
  public var pureEpsilon: Double {
    switch self {
    case .gaussian: .infinity
    case .laplace(let multiplier): 1 / multiplier
    case .subsampledGaussian(_, let rate), .gaussianWithoutReplacement(_, let rate):
      rate == 0 ? 0 : .infinity
    case .pure(let epsilon): epsilon
    case .concentrated(let rho): rho == 0 ? 0 : .infinity
    }
  }

  /// Checks the numbers: values decoded from a file may be anything.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration`` if a noise multiplier is not
  ///   above 0, a sampling rate not in `0...1`, or an ε or ρ negative; NaN and infinity are none of these.
  public func validate() throws {
    switch self {
    case .gaussian(let multiplier), .laplace(let multiplier):
      try Self.check(noiseMultiplier: multiplier)
    case .subsampledGaussian(let multiplier, let rate),
      .gaussianWithoutReplacement(let multiplier, let rate):
      try Self.check(noiseMultiplier: multiplier)
      guard (0...1).contains(rate) else {
        throw FederationError(
          code: .invalidConfiguration,
          message: "a sampling rate must be in 0...1, not \(rate)"
        )
      }
    case .pure(let epsilon):
      guard epsilon >= 0, epsilon.isFinite else {
        throw FederationError(
          code: .invalidConfiguration,
          message: "the epsilon of a mechanism must be at least 0 and finite, not \(epsilon)"
        )
      }
    case .concentrated(let rho):
      guard rho >= 0, rho.isFinite else {
        throw FederationError(
          code: .invalidConfiguration,
          message: "the rho of a mechanism must be at least 0 and finite, not \(rho)"
        )
      }
    }
  }

  private static func check(noiseMultiplier: Double) throws {
    guard noiseMultiplier > 0, noiseMultiplier.isFinite else {
      throw FederationError(
        code: .invalidConfiguration,
        message: "a noise multiplier must be above 0 and finite, not \(noiseMultiplier)"
      )
    }
  }
}
