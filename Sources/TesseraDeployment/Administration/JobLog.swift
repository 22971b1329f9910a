/// The lines of a job's log, some at a time, read when somebody wants them: whoever does not read costs nothing.
public struct JobLog: AsyncSequence, Sendable {
  private let follower: LogFollower
  private let news: NewsFeed?
  private let check: @Sendable (JobNews) throws -> Void

  /// How many bytes are read at once, so long as they are a line.
  static let portion = 1 << 20

  /// A log.
  ///
  /// - Parameters:
  ///   - follower: Reads it.
  ///   - news: What happens to the job, if what is written later is wanted, too: whatever happens is logged before it is told.
  ///   - check: Is told each of the news; throwing ends the log.
  init(
    _ follower: LogFollower,
    following news: NewsFeed?,
    check: @escaping @Sendable (JobNews) throws -> Void
  ) {
    self.follower = follower
    self.news = news
    self.check = check
  }

  /// Begins to read.
  public func makeAsyncIterator() -> Iterator {
    Iterator(follower: follower, news: news?.makeAsyncIterator(), check: check)
  }

  /// Reads a log.
  public struct Iterator: AsyncIteratorProtocol {
    fileprivate var follower: LogFollower
    fileprivate var news: NewsFeed.Iterator?
    fileprivate let check: @Sendable (JobNews) throws -> Void

    /// The next lines; `nil` at the end of the log, or of the job.
    ///
    /// - Throws: ``DeploymentError`` if the log cannot be read, or is not to be read any longer.
    public mutating func next() async throws -> [String]? {
      try await next(isolation: #isolation)
    }

    /// As ``next()``.
    public mutating func next(
      isolation actor: isolated (any Actor)?
    ) async throws(any Error) -> [String]? {
      while true {
        // Before each portion: there may be lines for as long as the job goes on.
        for happened in news?.takeWaiting() ?? [] { try check(happened) }
        let lines = try follower.lines(atMost: JobLog.portion)
        if !lines.isEmpty { return lines }
        guard news != nil else { return nil }
        if let happened = await news?.next(isolation: actor) {
          try check(happened)
        } else {
          // What was written before the end is read yet.
          news = nil
        }
      }
    }
  }
}

extension JobService {
  /// The lines of a job's log.
  ///
  /// - Parameters:
  ///   - id: The job's.
  ///   - follows: Whether to go on with what is written later, to the end of the job.
  ///   - person: Who wants to see it.
  /// - Returns: Lines of JSON, some at a time.
  /// - Throws: ``DeploymentError`` if there is no such job, or the person may not see it.
  public nonisolated func log(
    of id: String,
    following follows: Bool,
    for person: Person
  ) async throws -> JobLog {
    let path = try logFile(of: id, for: person)
    let news = follows ? try await watch(id, for: person) : nil
    return JobLog(LogFollower(path), following: news) {
      try self.requireView(after: $0, for: person)
    }
  }
}
