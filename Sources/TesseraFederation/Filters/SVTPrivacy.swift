internal import Foundation
internal import TesseraCore

/// Shares a fraction of a model's changes, chosen and blurred by the sparse vector technique (Lyu, Su and Li, 2017,
/// "Understanding the sparse vector technique for differential privacy", algorithm 7; in federated learning: Li et al., 2019,
/// "Privacy-preserving federated brain tumour segmentation", section 2.2).
///
/// Of *n* elements, *c* = ⌈`fraction` · *n*⌉ are to be shared. Each change per optimiser step, clamped to `-gamma...gamma`, is
/// shared if its magnitude plus noise reaches a threshold that is noisy itself, `tau` plus noise. What is shared gets
/// further noise and is clamped again; all else becomes 0. Elements are asked in random order until *c* have been accepted:
/// those of one pass are asked at once, and if too many reach the threshold, a random choice of them is the same as having
/// stopped in time. After ``passes`` the filter is content with fewer.
///
/// The privacy loss of one answer is ε₁ + ε₂ + *c* · ε₃ (``epsilon(elements:)``), whatever two updates may be: clamping keeps any
/// two within 2γ of each other in every element. For the usual settings that is a great number, which says how much noise there
/// is rather than promise much. The noise comes from ``FilterContext/secrets``.
public struct SVTPrivacy: Filter {
  /// The name in configurations.
  public static let name = "svt-privacy"
  /// How often all elements that are left are asked.
  public static let passes = 64
  /// The fraction of the elements that is shared.
  public let fraction: Double
  /// ε₁, the privacy loss of the noisy threshold.
  public let thresholdEpsilon: Double
  /// ε₃, the privacy loss of one shared element.
  public let releaseEpsilon: Double
  /// The largest magnitude of a change per step.
  public let gamma: Double
  /// The threshold before noise.
  public let tau: Double
  /// Whether the accepted elements are drawn with replacement, so that fewer than were accepted are shared.
  public let replacement: Bool
  /// What becomes of tensors without fractions.
  public let nonFloating: NonFloatingTensors

  /// The sparse vector technique.
  ///
  /// - Parameters:
  ///   - fraction: The fraction of the elements that is shared, above 0 and at most 1.
  ///   - epsilon: ε₁, the privacy loss of the noisy threshold, above 0.
  ///   - noiseVariance: ε₃, the privacy loss of one shared element, above 0: more of it is less noise.
  ///   - gamma: The largest magnitude of a change per step, above 0.
  ///   - tau: The threshold before noise.
  ///   - replacement: Whether the accepted elements are drawn with replacement, so that about 63 % of them are shared.
  ///   - nonFloating: What becomes of tensors without fractions.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public init(
    fraction: Double = 0.1,
    epsilon: Double = 0.1,
    noiseVariance: Double = 0.1,
    gamma: Double = 1e-5,
    tau: Double = 1e-6,
    replacement: Bool = true,
    nonFloating: NonFloatingTensors = .excluded
  ) throws {
    guard fraction > 0, fraction <= 1 else {
      throw FederationError.invalid(Self.name, "fraction", fraction, "above 0 and at most 1")
    }
    try FederationError.requirePositive(Self.name, "epsilon", epsilon)
    try FederationError.requirePositive(Self.name, "noiseVariance", noiseVariance)
    try FederationError.requirePositive(Self.name, "gamma", gamma)
    guard tau.isFinite else {
      throw FederationError.invalid(Self.name, "tau", tau, "a number")
    }
    self.fraction = fraction
    thresholdEpsilon = epsilon
    releaseEpsilon = noiseVariance
    self.gamma = gamma
    self.tau = tau
    self.replacement = replacement
    self.nonFloating = nonFloating
  }

  /// *c*, how many of so many elements are shared at most.
  public func sharedCount(elements: Int) -> Int {
    min(elements, Int((Double(elements) * fraction).rounded(.up)))
  }

  /// ε₂ = ε₁ · (2*c*)^⅔, the privacy loss of asking: the split that disturbs least (Lyu et al., 2017, section 4.2).
  public func queryEpsilon(elements: Int) -> Double {
    thresholdEpsilon * pow(2 * Double(sharedCount(elements: elements)), 2.0 / 3)
  }

  /// ε₁ + ε₂ + *c* · ε₃, the privacy loss of one answer with so many elements.
  public func epsilon(elements: Int) -> Double {
    thresholdEpsilon + queryEpsilon(elements: elements)
      + Double(sharedCount(elements: elements)) * releaseEpsilon
  }

  /// The scale of the threshold's noise, 2γ / ε₁.
  public var thresholdScale: Double { 2 * gamma / thresholdEpsilon }

  /// The scale of the noise that each element is asked with, 4*c*γ / ε₂.
  public func queryScale(elements: Int) -> Double {
    // 4cγ / ε₁(2c)^⅔, so that no elements make no noise.
    2 * gamma / thresholdEpsilon * cbrt(2 * Double(sharedCount(elements: elements)))
  }

  /// The scale of the noise on what is shared, 2γ / ε₃.
  public var releaseScale: Double { 2 * gamma / releaseEpsilon }

  /// The models with the shared part of their changes, blurred.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/rejectedUpdate`` if a tensor is not finite, or does not fit
  ///   the task's.
  public func apply(to exchange: Exchange, in context: FilterContext) throws -> Exchange {
    try exchange.mapDifferences(in: context, for: Self.name, others: nonFloating) {
      model,
      differences,
      place in
      guard differences.parameterCount > 0 else { return nil }
      let steps = try model.stepCount(in: place)
      var noise = try place.noise(Self.name, tensor: "", over: differences.tensors)
      let flat = try concatenate(
        differences.tensors.map { try $0.to(.float64).flattened() }
      )
      let clamped = try (flat / steps).clamped(from: -gamma, to: gamma)
      let positions = try shared(abs(clamped), using: &noise)
      let values = try
        (clamped.gathered(positions)
        + noise.laplace(positions.shape, scale: releaseScale)).clamped(from: -gamma, to: gamma)
      let result = try Tensor.zeros(like: flat).replacing(at: [positions], with: values * steps)
      return try zip(result.split(into: differences.tensors.map(\.count)), differences.tensors).map
      {
        try $0.reshaped(to: $1.shape)
      }
    }
  }

  /// The positions of the elements that are shared, `int64`, ascending.
  private func shared(_ magnitudes: Tensor, using noise: inout SecretNoise) throws -> Tensor {
    let count = magnitudes.count
    let wanted = sharedCount(elements: count)
    let scale = queryScale(elements: count)
    let threshold =
      tau + (try noise.laplace([], scale: thresholdScale).item())
    let pieces = try magnitudes.pieces()
    var isAccepted = try Tensor.zeros([count], dtype: .bool)
    var accepted = 0
    for _ in 0..<Self.passes where accepted < wanted {
      let reaches = try pieces.map { piece in
        try (piece + noise.laplace(piece.shape, scale: scale))
          .isAtLeast(threshold)
      }
      var new = try concatenate(reaches).and(isAccepted.not()).positionsOfNonzero().flattened()
      if new.count > wanted - accepted {
        let order = try Tensor(Array(0..<new.count).shuffled(using: &noise.numbers))
        new = try new.gathered(order.slices(in: 0..<wanted - accepted))
      }
      isAccepted = try isAccepted.replacing(
        at: [new],
        with: Tensor.full(1, shape: [], dtype: .bool)
      )
      accepted += new.count
    }
    let positions = try isAccepted.positionsOfNonzero().flattened()
    guard replacement, accepted > 0 else { return positions }
    let drawn = try Tensor(
      (0..<accepted).map { _ in Int.random(in: 0..<accepted, using: &noise.numbers) }
    )
    let isDrawn = try Tensor.zeros([accepted], dtype: .bool)
      .replacing(at: [drawn], with: Tensor.full(1, shape: [], dtype: .bool))
    return try positions.elements(where: isDrawn)
  }
}
