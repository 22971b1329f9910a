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
    for person: Submitter
  ) async throws -> AsyncThrowingStream<[String], any Error> {
    let path = try logFile(of: id, for: person)
    let events = follows ? try await watch(id, for: person) : nil
    return AsyncThrowingStream { continuation in
      let reading = Task {
        var follower = LogFollower(path)
        do {
          continuation.yield(try follower.lines())
          // Whatever happens to a job is logged before it is told.
          if let events {
            for await news in events {
              try self.requireView(after: news, for: person)
              let lines = try follower.lines()
              if !lines.isEmpty { continuation.yield(lines) }
            }
          }
          continuation.finish()
        } catch {
          continuation.finish(throwing: error)
        }
      }
      continuation.onTermination = { _ in reading.cancel() }
    }
  }
}
