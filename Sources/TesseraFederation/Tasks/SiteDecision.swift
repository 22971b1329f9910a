/// What a site decides about a task and its answer, for its own log: which filters they pass, and what its privacy budget says.
public enum SiteDecision: Sendable, Hashable {
  /// The task, or the answer, has passed a filter; those of one task are told in the order in which they are passed.
  case filtered(FilterContext.Direction, filter: String, isOwn: Bool)
  /// The answer is in the site's ledger, and may leave: it costs so much ε for itself at the budget's δ, and leaves so much of
  /// the budget. The very same answer to the very same task costs nothing the second time.
  case charged(epsilon: Double, delta: Double, left: Double)
  /// The budget does not let the answer leave; the reason is for the site alone.
  case keptBack(reason: String)
}
