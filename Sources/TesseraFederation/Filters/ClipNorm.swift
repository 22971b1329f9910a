internal import TesseraCore

/// Scales a model's change down to a length: `Δ · min(1, C / ‖Δ‖)` (McMahan et al., 2018, "Learning differentially private
/// recurrent language models", section 2).
///
/// The length is the Euclidean one, as ``GaussianNoise`` needs it, or the sum of magnitudes, as ``LaplaceNoise`` does. It is that
/// of all floating-point tensors together, or of each for itself. Weights are treated by their difference
/// from the task's. Tensors of whole numbers stay as they are and do not count.
public struct ClipNorm: ShorteningFilter {
  /// How a change's length is measured.
  public enum Measure: String, Sendable, Hashable, CaseIterable {
    /// The sum of magnitudes, ‖Δ‖₁.
    case l1
    /// The Euclidean length, ‖Δ‖₂.
    case l2
  }

  /// The name in configurations.
  public static let name = "clip-norm"
  /// The measurement under which the factor is reported.
  public static let factorMetric = "clip factor"
  /// The greatest length, `C`.
  public let norm: Double
  /// How it is measured.
  public let measure: Measure
  /// Whether each tensor is clipped for itself, so that all have the length `C · √tensors` together, or `C · tensors` in
  /// ``Measure/l1``.
  public let isPerTensor: Bool
  /// Whether the factor travels with the answer.
  public let reportsFactor: Bool

  /// Clips changes.
  ///
  /// - Parameters:
  ///   - norm: The greatest length, above 0.
  ///   - measure: How it is measured.
  ///   - perTensor: Whether each tensor is clipped for itself.
  ///   - reportsFactor: Whether the factor, the least one of several, is added to the measurements. It tells the receiver the
  ///     length before clipping, which noise added later does not hide: leave it off where privacy is accounted for.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public init(
    norm: Double = 1,
    measure: Measure = .l2,
    perTensor: Bool = false,
    reportsFactor: Bool = false
  ) throws {
    try FederationError.requirePositive(Self.name, "norm", norm)
    self.norm = norm
    self.measure = measure
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
      let sums = try differences.tensors.map(sum)
      let total = sums.reduce(0, +)
      // `float64` has numbers whose squares are beyond it.
      guard total.isFinite else { throw place.refusal("its norm is too large to be computed") }
      let factors = sums.map { factor(length(isPerTensor ? $0 : total)) }
      guard let smallest = factors.min() else { return nil }
      least = min(least, smallest)
      guard smallest < 1 else { return nil }
      return try zip(differences.tensors, factors).map { try $1 < 1 ? $0 * $1 : $0 }
    }
    if reportsFactor { result.metrics[Self.factorMetric] = least }
    return result
  }

  private func factor(_ length: Double) -> Double { length > norm ? norm / length : 1 }

  /// What of several tensors adds up, in `float64`: single precision would lose digits over millions of elements.
  private func sum(of tensor: Tensor) throws -> Double {
    try tensor.pieces().reduce(0) { sum, piece in
      let wide = try piece.to(.float64)
      return try sum + (measure == .l2 ? wide.squared() : abs(wide)).sum().item()
    }
  }

  private func length(_ sum: Double) -> Double { measure == .l2 ? sum.squareRoot() : sum }

  /// How long the change of a model of so many tensors is afterwards, at most.
  func length(tensors: Int) -> Double {
    let count = Double(tensors)
    return norm * (isPerTensor ? (measure == .l2 ? count.squareRoot() : count) : 1)
  }
}
