public import TesseraCore

/// A site's part in a round.
public struct Contribution: Sendable {
  /// Who contributed.
  public var site: Site
  /// With which weight.
  public var weight: Double
  /// What the site measured.
  public var metrics: [String: Double]
}

/// An answer that was not used.
public struct Refusal: Sendable, Hashable {
  /// Whose.
  public var site: Site
  /// Why not; names the site, and the tensor if it was one.
  public var reason: String
}

/// How good a model is.
public struct Evaluation: Sendable, Hashable {
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
  /// The new global model.
  public var model: ModelState
  /// How good it is.
  public var evaluation: Evaluation
  /// Whose updates it is the mean of, in the order of the sites.
  public var contributions: [Contribution]
  /// Whose it is not.
  public var refusals: [Refusal]
  /// How long the round took, with its evaluation.
  public var duration: Duration

  /// The sites' mean training loss, by weight.
  public var trainingLoss: Double? {
    let reported = contributions.compactMap { part in part.metrics["loss"].map { (part.weight, $0) }
    }
    let total = reported.reduce(0) { $0 + $1.0 }
    return total > 0 ? reported.reduce(0) { $0 + $1.0 * $1.1 } / total : nil
  }
}

/// What happens during a run, for those who watch.
public enum RunEvent: Sendable {
  /// Sites are being asked.
  case roundStarted(round: Int, sites: Int)
  /// A site has answered; so many have by now. Arrives from any thread.
  case answered(Site, answers: Int)
}
