extension WorkflowState {
  /// Under which name the job's ledger lies among the documents.
  public static let privacyLedgerName = "privacy ledger"

  /// What the job itself has released, or `nil` if nothing was counted.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/cannotResume`` if it cannot be read.
  public func privacyLedger() throws -> BudgetLedger? {
    try document(Self.privacyLedgerName, as: BudgetLedger.self)
  }

  /// The ledger to go on with.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/cannotResume`` if it cannot be read, or was kept for another
  ///   budget.
  func privacyLedger(for budget: PrivacyBudget) throws -> BudgetLedger {
    let ledger = try privacyLedger() ?? BudgetLedger(owner: "job", budget: budget)
    guard ledger.budget == budget else {
      throw FederationError(
        code: .cannotResume,
        message: "the job's privacy ledger was kept for another budget"
      )
    }
    return ledger
  }
}
