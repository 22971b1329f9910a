internal import Synchronization
internal import TesseraFederation

/// Makes a worker when the first task of a job comes.
final class WorkerForEachJob: SiteTaskHandler {
  private let workers = Mutex<[String: SiteWorker]>([:])
  private let make: @Sendable (String) async throws -> SiteWorker

  init(_ make: @escaping @Sendable (String) async throws -> SiteWorker) { self.make = make }

  func answer(
    _ task: SiteTask,
    of job: String,
    progress: @escaping @Sendable () -> Void
  ) async throws -> Exchange {
    try await answer(task, of: job, progress: progress) { _ in }
  }

  func answer(
    _ task: SiteTask,
    of job: String,
    progress: @escaping @Sendable () -> Void,
    measured: @escaping @Sendable (TaskMeasurements) -> Void
  ) async throws -> Exchange {
    try await worker(for: job).answer(task, progress: progress, measured: measured)
  }

  func forget(_ job: String, isAborted: Bool) async -> (@Sendable () async -> Void)? {
    workers.withLock { $0[job] = nil }
    return nil
  }

  private func worker(for job: String) async throws -> SiteWorker {
    if let worker = workers.withLock({ $0[job] }) { return worker }
    let made = try await make(job)
    return workers.withLock { workers in
      // Two tasks of a job that came at once share the one that was first.
      if let worker = workers[job] { return worker }
      workers[job] = made
      return made
    }
  }
}
