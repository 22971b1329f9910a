internal import Synchronization

/// Those who watch jobs, and what they have missed.
final class JobWatchers: Sendable {
  private struct Watched: Sendable {
    var history: [JobEvent] = []
    var watchers: [Int: AsyncStream<JobEvent>.Continuation] = [:]
  }
  private struct State: Sendable {
    var jobs: [String: Watched] = [:]
    var nextWatcher = 0
  }
  private let state = Mutex(State())

  /// How many events of a job are kept for who comes later: the last ones, and `show` knows all.
  static let longestHistory = 1000
  /// How many events a watcher may be behind before it misses some: it sees less, and nobody waits for it.
  private static let backlog = 4096

  /// Tells the watchers of a job.
  func tell(_ event: JobEvent, of job: String) {
    state.withLock { state in
      // What a round was like is kept for who comes later; what led to it is not.
      switch event {
      case .roundFinished, .declined:
        state.jobs[job, default: Watched()].history.append(event)
        // A quarter at a time: what is in front is moved for each that goes.
        if let count = state.jobs[job]?.history.count, count > Self.longestHistory * 5 / 4 {
          state.jobs[job]?.history.removeFirst(count - Self.longestHistory)
        }
      default: break
      }
      for watcher in state.jobs[job]?.watchers.values.map({ $0 }) ?? [] { watcher.yield(event) }
    }
  }

  /// What happens to a job from now on, after what has happened.
  ///
  /// - Parameters:
  ///   - job: The job's id.
  ///   - first: What the watcher is told before all else.
  /// - Returns: Events, to the end of the job.
  func watch(_ job: String, after first: [JobEvent]) -> AsyncStream<JobEvent> {
    let (stream, continuation) = AsyncStream<JobEvent>.makeStream(
      bufferingPolicy: .bufferingNewest(Self.backlog)
    )
    state.withLock { state in
      let number = state.nextWatcher
      state.nextWatcher += 1
      for event in first { continuation.yield(event) }
      for event in state.jobs[job]?.history ?? [] { continuation.yield(event) }
      state.jobs[job, default: Watched()].watchers[number] = continuation
      continuation.onTermination = { [weak self] _ in self?.forget(number, of: job) }
    }
    return stream
  }

  /// Whether anybody watches a job.
  func areThere(for job: String) -> Bool {
    state.withLock { $0.jobs[job]?.watchers.isEmpty == false }
  }

  private func forget(_ number: Int, of job: String) {
    state.withLock { $0.jobs[job]?.watchers[number] = nil }
  }

  /// The job is over: its watchers have seen all.
  func end(_ job: String) {
    let watched = state.withLock { $0.jobs.removeValue(forKey: job) }
    for watcher in watched?.watchers.values.map({ $0 }) ?? [] { watcher.finish() }
  }

  /// The server ends: nobody sees more.
  func endAll() {
    let all = state.withLock { state in
      defer { state.jobs = [:] }
      return state.jobs.values.flatMap(\.watchers.values)
    }
    for watcher in all { watcher.finish() }
  }
}
