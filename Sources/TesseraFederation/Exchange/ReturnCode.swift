/// Whether an answer can be used, and if not, why.
public enum ReturnCode: String, Sendable, Hashable, Codable, CaseIterable {
  /// The content can be used.
  case ok
  /// The site has no executor for tasks of this name.
  case unknownTask
  /// The task's content is not what the executor needs.
  case badTask
  /// A filter of the site refused the task or the answer.
  case filtered
  /// The executor failed.
  case executionFailed
  /// The site's privacy budget does not allow the answer.
  case budgetExhausted
  /// The site has nothing to answer with: no data, or too little to be shown.
  case nothingToShare
  /// The task was aborted.
  case aborted
}

extension Exchange {
  /// Why a site has no answer, in its own words, if it says so.
  public var reason: String? {
    get { headers["reason"] }
    set { headers["reason"] = newValue }
  }
}
