public import TesseraCore

/// Gradients divided by their layer's running norm, with momentum (Ginsburg et al., 2019), by foreach kernels.
///
/// `v ← β₂·v + (1 - β₂)·|g|²` (at first `|g|²`), `m ← β₁·m + (g / (√v + ε) + weightDecay · p)`, `p ← p - learningRate · m`.
public final class NovoGrad: Optimizer {
  /// What is trained.
  public let parameters: [Parameter]
  /// The step size.
  public var learningRate: Double
  /// How much of the running mean and of the running square is kept.
  public let betas: (mean: Double, square: Double)
  /// Keeps the divisor away from zero.
  public let epsilon: Double
  /// The factor of the parameter that is added to its normalised gradient.
  public let weightDecay: Double
  private var moments: Moments

  /// An optimiser for the given parameters.
  public init(
    _ parameters: [Parameter],
    learningRate: Double = 1e-2,
    betas: (mean: Double, square: Double) = (0.95, 0.98),
    epsilon: Double = 1e-8,
    weightDecay: Double = 0
  ) throws {
    self.parameters = parameters
    self.learningRate = learningRate
    self.betas = betas
    self.epsilon = epsilon
    self.weightDecay = weightDecay
    moments = try Moments(
      of: "novograd",
      ["mean", "square"],
      for: parameters,
      shape: { name, parameter in name == "square" ? [] : parameter.value.shape }
    )
  }

  /// Changes the parameters along the gradients.
  public func apply(_ gradients: [Tensor]) throws {
    try moments.step(parameters, along: gradients) { group in
      try group.kernels.novoGrad(
        gradients: group.gradients,
        means: group.moments[0],
        squares: group.moments[1],
        isFirst: group.step == 1,
        rate: learningRate * group.rateFactor,
        betas: betas,
        decay: weightDecay * group.decayFactor,
        epsilon: epsilon
      )
    }
  }

  /// The numbers of steps and the moments.
  public func state() throws -> ModelState { try moments.state() }

  /// Goes on from a checkpoint.
  public func load(_ state: ModelState) throws { try moments.load(state) }
}
