public import TesseraCore
public import TesseraNN

/// Training by differentially private SGD (Abadi et al., 2016, "Deep learning with differential privacy", algorithm 1).
///
/// Each step draws its batch by chance, every example for itself with the probability *q* = batch size / examples; clips the
/// gradient *of each example* to the norm *C*; and moves by `(Σ clip(gᵢ) + N(0, z²C²)) / (q · examples)`. Neighbours are data
/// sets with one example more or less, whose number itself is not protected.
public struct PrivateSGD: Sendable, Hashable {
  /// The greatest norm of one example's gradient, over all parameters together, *C*.
  public let clipNorm: Double
  /// The noise's standard deviation over *C*, *z*.
  public let noiseMultiplier: Double

  /// Private SGD.
  ///
  /// - Parameters:
  ///   - clipNorm: The greatest norm of one example's gradient, above 0.
  ///   - noiseMultiplier: The noise's standard deviation over it, above 0.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public init(clipNorm: Double, noiseMultiplier: Double) throws {
    try FederationError.check(clipNorm, "clip_norm", above: 0)
    try FederationError.check(noiseMultiplier, "noise_multiplier", above: 0)
    try FederationError.check(clipNorm * noiseMultiplier, "clip_norm · noise_multiplier", above: 0)
    self.clipNorm = clipNorm
    self.noiseMultiplier = noiseMultiplier
  }

  /// The probability with which a step uses an example.
  public func samplingRate(batchSize: Int, examples: Int) -> Double {
    examples > 0 ? min(1, Double(max(batchSize, 1)) / Double(examples)) : 0
  }

  /// How many steps a pass over the examples takes.
  public func stepsPerEpoch(batchSize: Int, examples: Int) -> Int {
    let size = max(batchSize, 1)
    return examples / size + (examples % size > 0 ? 1 : 0)
  }

  /// What a training costs.
  public func events(batchSize: Int, examples: Int, epochs: Int) -> [PrivacyEvent] {
    guard examples > 0 else { return [] }
    let steps = stepsPerEpoch(batchSize: batchSize, examples: examples)
      .multipliedReportingOverflow(by: max(epochs, 1))
    return [
      PrivacyEvent(
        .subsampledGaussian(
          noiseMultiplier: noiseMultiplier,
          samplingRate: samplingRate(batchSize: batchSize, examples: examples)
        ),
        count: steps.overflow ? .max : steps.partialValue
      )
    ]
  }

  /// Chooses the examples of a step, each for itself: a Poisson sample.
  ///
  /// - Parameters:
  ///   - indices: All examples.
  ///   - rate: The probability of each.
  ///   - secrets: Where the choice comes from: whoever knows it takes the sampling out of the account.
  /// - Returns: The chosen ones, in their order.
  public func sample(_ indices: [Int], rate: Double, secrets: SecretSource) -> [Int] {
    var numbers = secrets.numbers("sample")
    return indices.filter { _ in rate >= 1 || Double.random(in: 0..<1, using: &numbers) < rate }
  }

  /// `(Σ clip(gᵢ) + N(0, z²C²)) / size`.
  ///
  /// An example whose gradient is not finite counts as nothing.
  ///
  /// - Parameters:
  ///   - parameters: What is trained.
  ///   - examples: How many there are in the batch, which may be none.
  ///   - size: The expected number.
  ///   - secrets: Where the noise comes from.
  ///   - gradients: Those of one example by its number, in the order of the parameters.
  /// - Returns: The gradient of a step.
  /// - Throws: What `gradients` throws.
  public func gradients(
    for parameters: [Parameter],
    of examples: Int,
    over size: Double,
    secrets: SecretSource,
    by gradients: (_ example: Int) throws -> [Tensor]
  ) throws -> [Tensor] {
    var sum = try parameters.map { try Tensor.zeros(like: $0.value) }
    for example in 0..<examples {
      let clipped = try gradients(example).clipped(toNorm: clipNorm)
      guard clipped.norm.isFinite else { continue }
      sum = try zip(sum, clipped.gradients).map { try $0 + $1 }
    }
    // Follows from the sum, too: two sums never get the same noise.
    var noise = SecretNoise(
      secrets == .system ? secrets : secrets.derived(try SecretNoise.digest(of: sum))
    )
    return try sum.map {
      let noisy =
        try $0.to(.float64)
        + noise.normal($0.shape, deviation: noiseMultiplier * clipNorm)
      return try (noisy / size).to($0.dtype)
    }
  }
}
