internal import TesseraCore

/// Scales a model's change down to a length: `Δ · min(1, C / ‖Δ‖₂)` (McMahan et al., 2018, "Learning differentially private
/// recurrent language models", section 2).
///
/// The length is that of all floating-point tensors together, or of each for itself. Weights are treated by their difference
/// from the task's. Tensors of whole numbers stay as they are and do not count.
public struct ClipNorm: Filter {
  /// The name in configurations.
  public static let name = "clip-norm"
  /// The measurement under which the factor is reported.
  public static let factorMetric = "clip factor"
  /// The greatest length, `C`.
  public let norm: Double
  /// Whether each tensor is clipped for itself, so that all have the length `C · √tensors` together.
  public let isPerTensor: Bool
  /// Whether the factor travels with the answer.
  public let reportsFactor: Bool

  /// Clips changes.
  ///
  /// - Parameters:
  ///   - norm: The greatest length, above 0.
  ///   - perTensor: Whether each tensor is clipped for itself.
  ///   - reportsFactor: Whether the factor, the least one of several, is added to the measurements. It tells the receiver the
  ///     length before clipping, which noise added later does not hide: leave it off where privacy is accounted for.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public init(norm: Double = 1, perTensor: Bool = false, reportsFactor: Bool = false) throws {
    try FederationError.requirePositive(Self.name, "norm", norm)
    self.norm = norm
    isPerTensor = perTensor
    self.reportsFactor = reportsFactor
  }

  /// The models with their changes clipped.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/rejectedUpdate`` if a tensor is not finite, or does not fit
  ///   the task's.
  public func apply(to exchange: Exchange, in context: FilterContext) throws -> Exchange {
    var least = 1.0
    var result = try exchange.mapDifferences(in: context, for: Self.name, others: .kept) {
      _,
      differences,
      place in
      let squares = try differences.tensors.map(Self.squaredNorm)
      let total = squares.reduce(0, +)
      // `float64` has numbers whose squares are beyond it.
      guard total.isFinite else { throw place.refusal("its norm is too large to be computed") }
      let factors = squares.map { factor((isPerTensor ? $0 : total).squareRoot()) }
      guard let smallest = factors.min() else { return nil }
      least = min(least, smallest)
      guard smallest < 1 else { return nil }
      return try zip(differences.tensors, factors).map { try $1 < 1 ? $0 * $1 : $0 }
    }
    if reportsFactor { result.metrics[Self.factorMetric] = least }
    return result
  }

  private func factor(_ length: Double) -> Double { length > norm ? norm / length : 1 }

  /// The square of the Euclidean length, summed in `float64`: single precision would lose digits over millions of elements.
  private static func squaredNorm(of tensor: Tensor) throws -> Double {
    try tensor.pieces().reduce(0) { try $0 + $1.to(.float64).squared().sum().item() }
  }
}
