extension AuditEvent {
  /// What kind of event it is, in the words that programs read.
  public enum Kind: String, Sendable, Hashable, Codable, CaseIterable {
    case opened = "log opened"
    case repaired = "log repaired"
    case taskGiven = "task given"
    case contributionAccepted = "answer accepted"
    case contributionRefused = "answer refused"
    case filterApplied = "filter passed"
    case budgetSpent = "budget charged"
    case budgetRefused = "budget refused"
    case jobBudgetSpent = "job budget charged"
    case jobBudgetRefused = "job budget refused"
    case jobChanged = "job changed"
    case administration = "request"
    case operationRefused = "operation refused"
    case connected
    case disconnected
    case connectionRefused = "connection refused"
  }

  /// What kind of event it is.
  public var kind: Kind {
    switch self {
    case .opened: .opened
    case .repaired: .repaired
    case .taskGiven: .taskGiven
    case .contributionAccepted: .contributionAccepted
    case .contributionRefused: .contributionRefused
    case .filterApplied: .filterApplied
    case .budgetSpent: .budgetSpent
    case .budgetRefused: .budgetRefused
    case .jobBudgetSpent: .jobBudgetSpent
    case .jobBudgetRefused: .jobBudgetRefused
    case .jobChanged: .jobChanged
    case .administration: .administration
    case .operationRefused: .operationRefused
    case .connected: .connected
    case .disconnected: .disconnected
    case .connectionRefused: .connectionRefused
    }
  }
}
