public import TesseraCore

/// Changes parameters along gradients.
///
/// An optimiser belongs to the task that owns the model. `step(minimizing:)` is exactly
/// `apply(loss.gradients(for: parameters))`; take the gradients yourself to clip them, to add noise, or to give parts of them
/// to several optimisers. ``Parameter/rateFactor`` and ``Parameter/decayFactor`` make exceptions for single parameters.
///
/// Steps are counted for each parameter: one that was frozen goes on, or begins, where it stood.
public protocol Optimizer: AnyObject {
  /// What is trained, in the order of the gradients.
  var parameters: [Parameter] { get }
  /// The step size. Schedules set it before a step.
  var learningRate: Double { get set }
  /// Changes the parameters along the gradients, one for each parameter.
  ///
  /// - Throws: ``TensorError`` with code ``TensorError/Code/shapeMismatch`` if they do not fit; then nothing has changed.
  func apply(_ gradients: [Tensor]) throws
  /// The numbers of steps and the moments, for checkpoints.
  func state() throws -> ModelState
  /// Goes on from a checkpoint of the same kind of optimiser over parameters of the same shapes.
  ///
  /// - Throws: ``TensorError`` naming what is missing or does not fit; then nothing has changed.
  func load(_ state: ModelState) throws
}

extension Optimizer {
  /// One step downhill on a one-element loss.
  public func step(minimizing loss: Tensor) throws {
    try apply(loss.gradients(for: parameters))
  }
}
