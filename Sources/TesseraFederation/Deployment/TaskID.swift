/// Names a task at a site among all that a server has asked for, of all jobs.
///
/// A job that goes on after its server was killed asks the same again under the same name.
public struct TaskID: Hashable, Sendable, CustomStringConvertible {
  /// The job's id.
  public var job: String
  /// The task's number in the job; of those that prepare it, below 1.
  public var step: Int

  /// What tasks belong to that are of no job, but about the site itself; they come in any order.
  public static let noJob = "tessera"

  /// A name.
  public init(job: String, step: Int) {
    self.job = job
    self.step = step
  }

  /// The job and the number.
  public var description: String { "\(job)/\(step)" }
}
