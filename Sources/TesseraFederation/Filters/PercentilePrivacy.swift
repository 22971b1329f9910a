internal import TesseraCore

/// Shares only the larger changes of a model, and none beyond a bound (Shokri and Shmatikov, 2015, "Privacy-preserving deep
/// learning", section 4).
///
/// Of the difference per optimiser step, elements whose magnitude is below a percentile of all magnitudes become 0, the others
/// are clamped to `-gamma...gamma`; the result is multiplied by the number of steps
/// (``Exchange/Metadata-swift.struct/steps``, 1 if unknown). Weights are treated by their difference from the task's. The
/// filter adds no noise, and so promises no differential privacy.
public struct PercentilePrivacy: ShorteningFilter {
  /// The name in configurations.
  public static let name = "percentile-privacy"
  /// Elements below this percentile are not shared, in `0...100`.
  public let percentile: Double
  /// The largest magnitude of a change per step.
  public let gamma: Double
  /// What becomes of tensors without fractions.
  public let nonFloating: NonFloatingTensors

  /// Shares the larger changes.
  ///
  /// - Parameters:
  ///   - percentile: Elements below it are not shared, in `0...100`.
  ///   - gamma: The largest magnitude of a change per step, above 0.
  ///   - nonFloating: What becomes of tensors without fractions.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public init(
    percentile: Double = 10,
    gamma: Double = 0.01,
    nonFloating: NonFloatingTensors = .excluded
  ) throws {
    guard (0...100).contains(percentile) else {
      throw FederationError.invalid(Self.name, "percentile", percentile, "in 0...100")
    }
    try FederationError.requirePositive(Self.name, "gamma", gamma)
    self.percentile = percentile
    self.gamma = gamma
    self.nonFloating = nonFloating
  }

  /// The models with their smaller changes undone and their larger ones bounded.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/rejectedUpdate`` if a tensor is not finite, or does not fit
  ///   the task's.
  public func apply(to exchange: Exchange, in context: FilterContext) throws -> Exchange {
    try exchange.mapDifferences(in: context, for: Self.name, others: nonFloating) {
      model,
      differences,
      place in
      let steps = try model.stepCount(in: place)
      let perStep = try differences.tensors.map { try steps == 1 ? $0 : $0 / steps }
      guard let cutoff = try Self.percentile(percentile, of: perStep) else { return nil }
      return try perStep.map { difference in
        let shared = try difference.filled(0, where: abs(difference).isLess(than: cutoff))
        return try shared.clamped(from: -gamma, to: gamma) * steps
      }
    }
  }

  /// A percentile of all magnitudes, between two neighbours by linear interpolation; `nil` if there are none.
  static func percentile(_ percentile: Double, of tensors: [Tensor]) throws -> Double? {
    // One order needs one dtype.
    let isWide = tensors.contains { $0.dtype == .float64 }
    let order = try MagnitudeOrder(tensors.map { try $0.to(isWide ? .float64 : .float32) })
    guard order.count > 0 else { return nil }
    let place = percentile / 100 * Double(order.count - 1)
    let rank = min(Int(place), order.count - 1)
    let low = try order.magnitude(at: rank)
    guard rank + 1 < order.count, place > Double(rank) else { return low }
    return low + (try order.magnitude(at: rank + 1) - low) * (place - Double(rank))
  }
}

extension Exchange {
  /// How many steps of an optimiser a model is away from the task's: 1 if it does not say.
  func stepCount(in place: FilteredModel) throws -> Double {
    let steps = metadata.steps ?? 1
    guard (1...100_000_000).contains(steps) else {
      throw place.refusal("its number of steps is not in 1...100000000")
    }
    return Double(steps)
  }
}
