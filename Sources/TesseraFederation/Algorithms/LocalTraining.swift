public import TesseraCore

/// The steps that a site took in one training, as far as algorithms need them.
///
/// SGD with momentum ρ and the learning rates η₀, η₁, … moves parameters by `-Σ cₖ·gₖ`, where gₖ is the gradient of step k and
/// `cₖ = Σⱼ≥ₖ ηⱼ·ρʲ⁻ᵏ`. The sum of these cₖ is the ``reach``: for K steps of one rate η it is `K·η` without momentum, and
/// `η·‖a‖₁` with the vector a of FedNova (Wang et al., 2020, section 4) with it. The displacement over the reach is a mean of
/// the gradients.
public struct LocalSteps: Sendable, Hashable {
  /// How many there were.
  public private(set) var count = 0
  /// How far a gradient of 1 in all steps would have moved a parameter.
  public private(set) var reach = 0.0
  /// The share of a step that goes on in the next.
  public let momentum: Double
  private var velocity = 0.0

  /// No step yet.
  ///
  /// - Parameter momentum: That of SGD, without dampening; other optimisers are only about described by one.
  public init(momentum: Double = 0) { self.momentum = momentum }

  /// Counts a step.
  ///
  /// - Parameter rate: Its learning rate.
  public mutating func add(rate: Double) {
    count += 1
    velocity = momentum * velocity + 1
    reach += rate * velocity
  }
}

/// What came of training at a site.
public struct LocalTraining: Sendable {
  /// The trained model.
  public var state: ModelState
  /// The steps that led to it.
  public var steps: LocalSteps
  /// On how many examples it was trained.
  public var samples: Int
  /// What was measured on the way: `loss`, the mean over all steps.
  public var metrics: [String: Double]

  /// What came of a training.
  public init(
    _ state: ModelState,
    steps: LocalSteps,
    samples: Int,
    metrics: [String: Double] = [:]
  ) {
    self.state = state
    self.steps = steps
    self.samples = samples
    self.metrics = metrics
  }

  /// The mean loss over all steps.
  public var loss: Double { metrics["loss"] ?? 0 }

  /// The trained model as an answer.
  public var weights: Exchange { .weights(state, samples: samples, metrics: metrics) }
}

/// Trains a model on a site's data, as an algorithm asks for.
///
/// - Parameters:
///   - start: Where to start.
///   - correction: What changes the gradients of each step.
///   - key: Seeds what is drawn.
public typealias LocalTrainer = (
  _ start: ModelState, _ correction: (any GradientCorrection)?, _ key: RandomKey
) async throws -> LocalTraining
