internal import Synchronization
internal import TesseraCore

extension Controller {
  /// Enters into the job's privacy ledger what is about to be released.
  ///
  /// Does nothing in a job without a budget. ``gather(_:_:from:by:reference:quorum:)`` charges by itself what its rule makes
  /// private; a workflow that makes something private itself charges it here before it asks the sites.
  ///
  /// The entry counts once the round is done, as all else of a state: a round that is repeated after a kill makes the same release.
  /// That is not so of a sum that other sites survive the second time: the sites' own ledgers count it again, the job's does not.
  ///
  /// - Parameters:
  ///   - events: What makes it private.
  ///   - purpose: What it is, for a person.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/budgetExhausted`` naming the round and the amounts if it would
  ///   overspend.
  public func charge(_ events: [PrivacyEvent], for purpose: String) throws {
    do {
      let ledger = try record.withLock { record in
        let number = (record.ledger?.entries.count ?? 0) + 1
        try record.ledger?.charge(
          BudgetLedger.Entry(
            id: "\(number)/\(round)/\(purpose)",
            round: round,
            purpose: purpose,
            events: events
          )
        )
        return record.ledger
      }
      guard let ledger else { return }
      let spent = try ledger.spent()
      try federation.decided(
        .charged(
          round: round,
          purpose: purpose,
          epsilon: spent,
          delta: ledger.budget.delta,
          left: max(0, ledger.budget.epsilon - spent)
        )
      )
    } catch let error as FederationError where error.code == .budgetExhausted {
      try federation.decided(.refused(round: round, purpose: purpose, reason: error.message))
      throw error
    }
  }

  /// Charges what rules make private.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration`` naming the rule if it makes nothing
  ///   private, and the job has a budget.
  func charge(
    _ parts: [String: AggregatedPart],
    of draw: SiteDraw,
    for task: TaskName
  ) throws {
    guard federation.budget != nil else { return }
    var events: [PrivacyEvent] = []
    for (_, part) in parts.sorted(by: { $0.key < $1.key }) {
      guard let rule = part.rule as? any PrivateAggregationRule else {
        throw unprotected(task, "'\(type(of: part.rule))' makes nothing private")
      }
      events += try rule.events(for: draw)
    }
    try charge(events, for: task.description)
  }

  /// Charges a sum that nobody sees the parts of, by the noise that sites add to it together.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration`` if they add none, and the job has a
  ///   budget.
  func charge(
    _ settings: SecureAggregation,
    of model: ModelState,
    from sites: [Site],
    quorum: Quorum,
    for task: TaskName
  ) throws {
    guard federation.budget != nil else { return }
    let events = try settings.privacyEvents(for: model, sites: sites, quorum: quorum)
    guard !events.isEmpty else {
      throw unprotected(task, "secure aggregation without 'noise' makes no sum private")
    }
    try charge(events, for: task.description)
  }

  /// Refuses to pass on what single sites answer, in a job with a budget; a first model comes from no data.
  func requireNoBudget(for task: TaskName) throws {
    guard federation.budget != nil, task != .initialize else { return }
    throw unprotected(task, "single answers are passed on as they are")
  }

  private func unprotected(_ task: TaskName, _ reason: String) -> FederationError {
    FederationError(
      code: .invalidConfiguration,
      message: "round \(round), task '\(task)': the job has a privacy budget, and \(reason)"
    )
  }
}
