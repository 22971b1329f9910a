/// All that a server tells of a job.
public struct JobDetails: Sendable, Codable {
  /// The job.
  public var job: JobRecord
  /// Why it waits, if it does.
  public var waiting: String?
  /// The sites that it waits for because they are not connected.
  public var away: [JobEvent.AwaySite] = []
  /// Sites that do not take part, and why.
  public var declined: [String: String] = [:]
  /// The rounds that are done.
  public var rounds: [JobEvent.RoundSummary] = []
  /// What the one who asks may do with it.
  public var rights: [Right] = []

  init(job: JobRecord) { self.job = job }
}

/// A file that a job has made.
public struct JobFileEntry: Sendable, Hashable, Codable {
  /// Where it lies in the job's results, with `/` between the parts.
  public var path: String
  /// How large it is.
  public var bytes: Int
  /// The SHA-256 digest of so many bytes of it, hexadecimal.
  public var digest: String
}

/// What a server tells of a site.
public struct SiteStatus: Sendable, Hashable, Codable {
  /// Its name.
  public var name: String
  /// To whom it belongs.
  public var organisation: String
  /// Whether it is there.
  public var isConnected: Bool
  /// Whether it is given no new jobs.
  public var isDisabled: Bool
  /// The jobs that it works at.
  public var jobs: [String]
  /// What it says of itself, if it is there.
  public var description: SiteDescription?
}
