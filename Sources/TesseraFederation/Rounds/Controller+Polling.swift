internal import TesseraCore

/// What came of asking sites when any number of answers will do.
public struct Poll: Sendable {
  /// The usable answers, in the order of the sites.
  public var answers: [Answer]
  /// Who gave none, and why.
  public var refusals: [Refusal]
}

extension Controller {
  /// Sends a task to sites and takes what comes: no number of answers is needed.
  ///
  /// All sites are waited for, each for as long as the federation's ``Quorum/patience`` says. All answers are in memory at once.
  ///
  /// - Throws: What filters throw; `CancellationError` if the run was stopped.
  public func poll(_ task: TaskName, _ data: Exchange, from sites: [Site]) async throws -> Poll {
    let quorum = Quorum(minimum: 0, patience: self.quorum.patience)
    let outcome = try await ask(task, data, sites, quorum: quorum, into: AnswerList())
    return Poll(
      answers: outcome.sink.answers.sorted { $0.site.index < $1.site.index },
      refusals: outcome.refusals
    )
  }
}
