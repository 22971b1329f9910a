public import TesseraCore

/// Stochastic gradient descent with momentum (Polyak, 1964; Nesterov, 1983), by LibTorch's fused kernel.
///
/// `v ← momentum · v + (1 - dampening) · (g + weightDecay · p)`, `p ← p - learningRate · v`; the first `v` is the gradient.
public final class SGD: Optimizer {
  /// What is trained.
  public let parameters: [Parameter]
  /// The step size.
  public var learningRate: Double
  /// How much of the last step goes on.
  public let momentum: Double
  /// How much less the gradient counts beside the momentum.
  public let dampening: Double
  /// The factor of the parameter that is added to its gradient.
  public let weightDecay: Double
  /// Whether to look ahead by one momentum step.
  public let isNesterov: Bool
  private var moments: Moments

  /// An optimiser for the given parameters.
  public init(
    _ parameters: [Parameter],
    learningRate: Double,
    momentum: Double = 0,
    dampening: Double = 0,
    weightDecay: Double = 0,
    isNesterov: Bool = false
  ) throws {
    guard !isNesterov || (momentum > 0 && dampening == 0) else {
      throw TensorError(
        code: .invalidArgument,
        message: "Nesterov's method needs a momentum and no dampening"
      )
    }
    self.parameters = parameters
    self.learningRate = learningRate
    self.momentum = momentum
    self.dampening = dampening
    self.weightDecay = weightDecay
    self.isNesterov = isNesterov
    moments = try Moments(of: "sgd", momentum == 0 ? [] : ["momentum"], for: parameters)
  }

  /// Changes the parameters along the gradients.
  public func apply(_ gradients: [Tensor]) throws {
    try moments.step(parameters, along: gradients) { group in
      try group.kernels.sgd(
        gradients: group.gradients,
        momenta: group.moments.first ?? [],
        rate: learningRate * group.rateFactor,
        momentum: momentum,
        dampening: dampening,
        decay: weightDecay * group.decayFactor,
        nesterov: isNesterov,
        isFirst: group.step == 1
      )
    }
  }

  /// The numbers of steps and the momenta.
  public func state() throws -> ModelState { try moments.state() }

  /// Goes on from a checkpoint.
  public func load(_ state: ModelState) throws { try moments.load(state) }
}
