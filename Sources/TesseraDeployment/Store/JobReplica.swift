public import SystemPackage

/// A second place for jobs' folders, from which another server can go on.
///
/// A ``JobService`` with one brings it up to date before anything follows from what has changed: before the store knows of a job,
/// before its rounds begin, within rounds of many tasks, after each round and before anybody hears of it, and before the job is
/// over. So a server that takes over, whenever the one before it was killed, finds a copy that is no older than what the store
/// says and what anybody was told; what the dead server had done since is done again, with the same bits.
public protocol JobReplica: Sendable {
  /// Brings the copy of a job's folder up to date: all of it, or nothing.
  ///
  /// - Parameters:
  ///   - folder: The job's folder.
  ///   - job: The job's id.
  ///   - items: The files and folders in it that are copied; all if `nil`.
  /// - Throws: ``DeploymentError``; with code ``DeploymentError/Code/notActive`` if another server is the active one.
  func store(_ folder: FilePath, of job: String, only items: [String]?) throws
  /// Writes a job's folder from its copy; the folder is not there.
  ///
  /// - Throws: ``DeploymentError`` with code ``DeploymentError/Code/notFound`` if there is no copy.
  func restore(_ job: String, into folder: FilePath) throws
  /// Forgets a job's copy.
  func remove(_ job: String) throws
  /// The jobs of which there is a copy.
  func jobs() throws -> Set<String>
  /// The jobs whose copies were removed, ever.
  func removedJobs() throws -> Set<String>
}

extension JobReplica {
  /// Brings the copy of a job's folder up to date, with all that is in it.
  public func store(_ folder: FilePath, of job: String) throws {
    try store(folder, of: job, only: nil)
  }
}
