/// Where a server keeps what it must not forget: its jobs, and which sites it does not ask.
///
/// Each call is one transaction: it is on disk when it returns, or nothing has happened.
public protocol JobStore: Sendable {
  /// All jobs, in the order in which they arrived.
  func jobs() throws -> [JobRecord]
  /// A job.
  func job(_ id: String) throws -> JobRecord?
  /// Keeps a job that has just arrived.
  ///
  /// - Throws: ``DeploymentError`` with code ``DeploymentError/Code/alreadyThere`` if there is one of that id.
  func add(_ job: JobRecord) throws
  /// Changes a job.
  ///
  /// - Returns: The job as it is now.
  /// - Throws: ``DeploymentError`` with code ``DeploymentError/Code/notFound`` if there is none, with code
  ///   ``DeploymentError/Code/notAllowed`` if its new state cannot follow the one that it had.
  @discardableResult
  func update(_ id: String, _ change: (inout JobRecord) throws -> Void) throws -> JobRecord
  /// Forgets a job that is over.
  func remove(_ id: String) throws
  /// The sites that are given no new jobs.
  func disabledSites() throws -> Set<String>
  /// Says whether a site is given new jobs.
  func setSite(_ name: String, isDisabled: Bool) throws
}
