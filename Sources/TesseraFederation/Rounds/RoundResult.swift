public import TesseraCore

/// How good a model is.
public struct Evaluation: Sendable, Hashable, Codable {
  /// The share of examples that are classified rightly, in `0...1`.
  public var accuracy: Double
  /// The mean loss.
  public var loss: Double

  /// Makes an evaluation.
  public init(accuracy: Double, loss: Double) {
    self.accuracy = accuracy
    self.loss = loss
  }
}

/// A round that is done.
public struct RoundResult: Sendable {
  /// The round, counted from 1.
  public var round: Int
  /// Where the workflow stands after it.
  public var state: WorkflowState
  /// How good the new global model is, if that is measured.
  public var evaluation: Evaluation?
  /// Whose answers were used, in the order of tasks and sites.
  public var contributions: [Contribution]
  /// Whose were not.
  public var refusals: [Refusal]
  /// What travelled.
  public var traffic: Traffic
  /// How long the round took, with its evaluation.
  public var duration: Duration
  /// What it took of the sites whose answers were gathered, by their names.
  public var efforts: [String: SiteEffort] = [:]

  /// The new global model.
  public var model: ModelState { state.model }

  /// The sites' mean training loss, by weight.
  public var trainingLoss: Double? {
    contributions.filter { $0.task == .train }.mean(of: "loss")
  }
}
