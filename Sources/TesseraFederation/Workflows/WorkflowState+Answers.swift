extension WorkflowState {
  /// Under which name it lies among the documents from which step on a site's answers were not used.
  static let unusedAnswersName = "unused answers"

  /// The first steps of which no answers were used, nor any after them, by the indices of sites.
  ///
  /// What sites remember of them counts for nothing (``SiteTask/unusedSince``).
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/cannotResume`` if it cannot be read.
  func unusedAnswers() throws -> [Int: Int] {
    try document(Self.unusedAnswersName, as: [Int: Int].self) ?? [:]
  }

  /// Keeps the first steps of which no answers were used.
  mutating func setUnusedAnswers(_ steps: [Int: Int]) throws {
    guard !steps.isEmpty else {
      documents[Self.unusedAnswersName] = nil
      return
    }
    try setDocument(Self.unusedAnswersName, to: steps)
  }
}
