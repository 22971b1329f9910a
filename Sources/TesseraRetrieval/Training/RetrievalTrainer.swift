public import SystemPackage
internal import TesseraCore

/// A training under way, as an experiment sees it: in one process, or wherever the data lie.
///
/// The same steps give the same bits, whether or not it was interrupted between.
public protocol RetrievalTrainer: AnyObject {
  /// What is trained, as of the last step.
  var model: DualEncoder { get }
  /// How many steps are done.
  var stepsDone: Int { get }

  /// Trains until so many steps are done.
  ///
  /// - Parameters:
  ///   - end: How many steps are done then; the same in a training that goes on.
  ///   - observe: Is told of progress.
  /// - Returns: The mean loss.
  /// - Throws: `CancellationError` if the task is cancelled; what keeps it from training on.
  func advance(
    to end: Int,
    observe: @escaping @Sendable (RetrievalTraining.Step) -> Void
  ) async throws -> Double

  /// Writes what it takes to go on, all of it or nothing.
  ///
  /// - Throws: `TensorError` if the system refuses.
  func write(to path: FilePath) throws

  /// Goes on from what ``write(to:)`` has written.
  ///
  /// - Throws: What is wrong with the file.
  func load(contentsOf path: FilePath) throws
}

extension RetrievalTraining: RetrievalTrainer {
  /// Trains until so many steps are done.
  public func advance(
    to end: Int,
    observe: @escaping @Sendable (Step) -> Void
  ) async throws -> Double {
    var (loss, steps) = (0.0, 0)
    while stepsDone < end {
      try Task.checkCancellation()
      let step = try step()
      loss += step.loss
      steps += 1
      observe(step)
    }
    return steps > 0 ? loss / Double(steps) : 0
  }

  /// Writes the state: the model's tensors, the optimiser's, and how many steps are done.
  public func write(to path: FilePath) throws { try state().write(to: path) }

  /// Goes on from a state.
  public func load(contentsOf path: FilePath) throws {
    try load(ModelState(contentsOf: path))
  }
}
