public import TesseraCore

/// ``Adam`` with weight decay beside the gradient (Loshchilov and Hutter, 2019), by LibTorch's fused kernel.
public final class AdamW: Optimizer {
  /// What is trained.
  public let parameters: [Parameter]
  /// The step size.
  public var learningRate: Double
  /// How much of the running mean and of the running square is kept.
  public let betas: (mean: Double, square: Double)
  /// Keeps the divisor away from zero.
  public let epsilon: Double
  /// The share of the parameter that is taken away at each step, times the learning rate.
  public let weightDecay: Double
  private var moments: Moments

  /// An optimiser for the given parameters.
  public init(
    _ parameters: [Parameter],
    learningRate: Double = 1e-3,
    betas: (mean: Double, square: Double) = (0.9, 0.999),
    epsilon: Double = 1e-8,
    weightDecay: Double = 0.01
  ) throws {
    self.parameters = parameters
    self.learningRate = learningRate
    self.betas = betas
    self.epsilon = epsilon
    self.weightDecay = weightDecay
    moments = try Moments(of: "adamw", ["mean", "square"], for: parameters)
  }

  /// Changes the parameters along the gradients.
  public func apply(_ gradients: [Tensor]) throws {
    try moments.step(parameters, along: gradients) { group in
      try group.kernels.adam(
        gradients: group.gradients,
        means: group.moments[0],
        squares: group.moments[1],
        step: group.step,
        rate: learningRate * group.rateFactor,
        betas: betas,
        decay: weightDecay * group.decayFactor,
        epsilon: epsilon,
        isDecoupled: true
      )
    }
  }

  /// The numbers of steps and the moments.
  public func state() throws -> ModelState { try moments.state() }

  /// Goes on from a checkpoint.
  public func load(_ state: ModelState) throws { try moments.load(state) }
}
