/// What happens in a run, as its journal has it.
///
/// An event is in the journal before anything follows from it, and no kill of the process takes it away. Those that a run goes on
/// from are on the disk by then, too.
public enum RunEvent: Codable, Sendable, Equatable {
  /// The run goes on after it was stopped or killed.
  case resumed(versions: [String: String])
  /// A round of a training began.
  case roundStarted(training: String, round: Int)
  /// Sites were asked to do something.
  case taskOpened(training: String, step: Int, task: String, round: Int, sites: Int)
  /// An answer was used.
  case answerAccepted(training: String, step: Int, contributor: RunManifest.Contributor)
  /// An answer was not used.
  case answerRefused(training: String, step: Int, rejection: RunManifest.Rejection)
  /// Enough answers were there.
  case taskClosed(training: String, step: Int, accepted: Int)
  /// A round was done, and its state saved.
  case roundFinished(training: String, result: RunManifest.Round)
  /// A training has no more rounds.
  case trainingFinished(training: String, reason: String)
  /// What the trainings are compared with was trained.
  case curveFinished(name: String, accuracies: [Double])
}

extension RunEvent {
  /// Whether a run that goes on goes on from it.
  ///
  /// What comes before the end of a round is done again after a power cut, the same way; it gets to the disk with the next that is
  /// durable, or before what is kept of a round that goes on (``OpenRun/synchronize()``).
  var isDurable: Bool {
    switch self {
    case .roundStarted, .taskOpened, .answerAccepted, .answerRefused, .taskClosed: false
    case .resumed, .roundFinished, .trainingFinished, .curveFinished: true
    }
  }
}

extension RunManifest {
  /// Adds what an event says.
  ///
  /// - Throws: ``RunError`` with code ``RunError/Code/malformedRecord`` if it does not follow from those before it.
  mutating func apply(_ event: RunEvent) throws {
    func training(_ name: String) throws -> Int {
      guard let index = trainings.firstIndex(where: { $0.name == name }) else {
        throw RunError(
          code: .malformedRecord,
          message: "the journal has a training '\(name)' that run.json has not"
        )
      }
      return index
    }
    switch event {
    case .roundFinished(let name, let round):
      let index = try training(name)
      guard round.round == trainings[index].rounds.count + 1 else {
        throw RunError(
          code: .malformedRecord,
          message: """
            the journal has round \(round.round) of '\(name)' after \
            \(trainings[index].rounds.count) rounds
            """
        )
      }
      trainings[index].rounds.append(round)
    case .trainingFinished(let name, _): trainings[try training(name)].isFinished = true
    case .curveFinished(let name, let accuracies): curves[name] = accuracies
    case .resumed(let versions):
      if versions != lastVersions { laterVersions.append(versions) }
    default: break
    }
  }
}
