public import TesseraRun

/// Something that is run into a record, can go on after a kill, and can be repeated bit for bit.
public protocol Experiment: Sendable {
  /// The first contents of `run.json`.
  func newManifest() throws -> RunManifest

  /// Runs, or goes on, saving after each step.
  ///
  /// - Parameters:
  ///   - record: Where to save; a new record, or that of an interrupted run of the same experiment.
  ///   - limit: How far to go; to the end if `nil`.
  ///   - observe: Is told what happens.
  ///   - checkRound: Is called after each round; throwing ends the run.
  /// - Returns: The finished manifest, which is saved too; of a run that is finished already, its manifest.
  /// - Throws: `CancellationError` if the task was cancelled. The record then says `interrupted` and can be resumed.
  func run(
    in record: RunRecord,
    to limit: ExperimentLimit?,
    observe: @escaping @Sendable (ExperimentEvent) -> Void,
    checkRound: (RunManifest) throws -> Void
  ) async throws -> RunManifest

  /// The names of the model's tensors, in its order.
  func tensorNames() throws -> [String]
}

/// How far an experiment goes, as if it had been interrupted there.
public struct ExperimentLimit: Sendable, Hashable {
  /// The last round of each training; those that are not named are left out.
  public var rounds: [String: Int]
  /// Whether what follows the trainings is done too.
  public var isWhole: Bool
}

extension Experiment {
  /// Runs, or goes on with, the whole experiment.
  ///
  /// - Parameters:
  ///   - record: Where to save.
  ///   - observe: Is told what happens.
  ///   - checkRound: Is called after each round; throwing ends the run.
  /// - Returns: The finished manifest.
  /// - Throws: As ``run(in:to:observe:checkRound:)``.
  public func run(
    in record: RunRecord,
    observe: @escaping @Sendable (ExperimentEvent) -> Void = { _ in },
    checkRound: (RunManifest) throws -> Void = { _ in }
  ) async throws -> RunManifest {
    try await run(in: record, to: nil, observe: observe, checkRound: checkRound)
  }
}

/// What happens during an experiment, for those who watch.
///
/// Arrives from any thread.
public enum ExperimentEvent: Sendable {
  /// A federated training has begun, or goes on.
  case trainingStarted(name: String, title: String)
  /// A round has begun; so many sites are asked.
  case roundStarted(Int, sites: Int)
  /// A site has answered; so many have by now, and so many images were trained on since the last event.
  case siteAnswered(answers: Int, images: Int)
  /// A round is done and saved.
  case roundFinished(RunManifest.Round)
  /// The trainings that the federation is compared with have begun; by name, how many images they will use.
  case comparisonsStarted([String: Int])
  /// One of them has used so many more images.
  case comparisonAdvanced(name: String, images: Int)
  /// One of them is done.
  case comparisonFinished(name: String, accuracy: Double)
}
