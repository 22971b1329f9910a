/// What the server decides about a round, for its own log: which filters tasks and answers pass, and what the job's privacy budget
/// says.
public enum ServerDecision: Sendable, Hashable {
  /// A site's task, or its answer, has passed a filter of the server; those of one are told in the order in which they are passed.
  case filtered(
    FilterContext.Direction,
    filter: String,
    step: Int,
    task: TaskName,
    round: Int,
    site: Site
  )
  /// What is about to be released is in the job's ledger: so much ε at the budget's δ is spent with it, and so much is left.
  case charged(round: Int, purpose: String, epsilon: Double, delta: Double, left: Double)
  /// The budget does not allow the release.
  case refused(round: Int, purpose: String, reason: String)
}
