/// Under which condition somebody has a right.
public enum PolicyCondition: String, Sendable, Hashable, Codable, CaseIterable {
  /// Under any.
  case any
  /// Under none.
  case none
  /// If it is about the person's own organisation.
  ///
  /// That is the one of a job's submitter where a job is cloned, managed, downloaded or viewed, and else the one of the site or
  /// server that decides: of its own people's jobs alone, or of its own people alone.
  case ownOrganisation = "own-organisation"
  /// If the person has submitted the job.
  case ownSubmission = "own-submission"
}
