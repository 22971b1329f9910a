/// What a workflow is told.
public enum WorkflowEvent: Sendable {
  /// The run begins, or goes on after some rounds are done.
  case started(afterRound: Int)
  /// A site's update was folded into the aggregate.
  case accepted(site: Int, weight: Double)
  /// A site's update was refused, or the site could not answer.
  case rejected(site: Int, reason: String)
  /// The sites that have not answered will not be waited for.
  case deadlinePassed
  /// The new global model was measured.
  case evaluated(accuracy: Double)
}

/// What a workflow wants done.
public enum WorkflowAction: Sendable, Equatable {
  /// Ask these sites for an update to the global model.
  case ask(sites: [Int], round: Int)
  /// Make the aggregate the global model, and measure it.
  case aggregate(round: Int)
  /// The run is over.
  case finish(FinishReason)
  /// The round cannot be completed; the global model stays as it was.
  case abandon(round: Int, reason: String)
}

/// Why a run is over.
public enum FinishReason: String, Sendable, Codable {
  /// All rounds are done.
  case allRounds
  /// The target accuracy was reached.
  case targetReached
}

/// The order of things in a federated run, as a pure state machine: events in, actions out.
///
/// It has no clock, no socket and no task, so every situation is a test of a few lines, and a run can be replayed from its
/// events.
public protocol Workflow: Sendable {
  /// The round under way, or done last.
  var round: Int { get }
  /// Takes an event and says what follows from it. Events that come too late change nothing.
  mutating func handle(_ event: WorkflowEvent) -> [WorkflowAction]
}
