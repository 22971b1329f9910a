extension WorkflowState {
  /// Under which name the job's ledger lies among the documents.
  public static let privacyLedgerName = "privacy ledger"

  /// What the job itself has released, or `nil` if nothing was counted.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/cannotResume`` if it cannot be read.
  public func privacyLedger() throws -> BudgetLedger? {
    try document(Self.privacyLedgerName, as: BudgetLedger.self)
  }

  /// Enters what a round is about to release.
  ///
  /// The entry counts once the round is done, as all else of a state: a round that is repeated makes the same release.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/budgetExhausted`` naming the round and the amounts if it would
  ///   overspend.
  public mutating func charge(
    _ events: [PrivacyEvent],
    against budget: PrivacyBudget,
    round: Int,
    for purpose: String
  ) throws {
    var ledger = try privacyLedger() ?? BudgetLedger(owner: "job", budget: budget)
    guard ledger.budget == budget else {
      throw FederationError(
        code: .cannotResume,
        message: "the job's privacy ledger was kept for another budget"
      )
    }
    try ledger.charge(
      BudgetLedger.Entry(id: "\(round)/\(purpose)", round: round, purpose: purpose, events: events)
    )
    try setDocument(Self.privacyLedgerName, to: ledger)
  }
}
