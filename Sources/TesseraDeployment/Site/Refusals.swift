internal import Synchronization

/// What a site refuses, told to its log and audit log: the same again and again ever more rarely, so that a server that does not
/// stop asking fills neither.
final class Refusals: Sendable {
  /// How many jobs are told from each other.
  private static let mostJobs = 1000

  private let tallies = Mutex<[String: RefusalTally]>([:])
  private let observe: @Sendable (SiteJobs.Event) throws -> Void

  init(_ observe: @escaping @Sendable (SiteJobs.Event) throws -> Void) { self.observe = observe }

  /// Tells something, if it is worth a line.
  ///
  /// - Parameters:
  ///   - event: What.
  ///   - key: What makes it the same as another.
  ///   - job: The job that it is about, if it is about one: what is refused of others does not hide it.
  func say(_ event: SiteJobs.Event, _ key: String, of job: String = "") {
    let count = tallies.withLock { tallies in
      let job = tallies[job] != nil || tallies.count < Self.mostJobs ? job : ""
      return tallies[job, default: RefusalTally(peers: 4096)].note(key)
    }
    if count != nil { try? observe(event) }
  }

  /// The job is over.
  func forget(_ job: String) { tallies.withLock { $0[job] = nil } }
}
