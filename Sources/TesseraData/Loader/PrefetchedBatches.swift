internal import Foundation
internal import TesseraCore

/// A plan's batches in order, prepared ahead on threads of their own while others are in use.
///
///     for try await batch in plan.prefetched(ahead: 4, workers: 2) { … }
///
/// The batches are the same for any number of workers. Work that is under way ends when the loop ends or its task is
/// cancelled.
public struct PrefetchedBatches: AsyncSequence, Sendable {
  /// What an iteration gives.
  public typealias Element = Batch

  let plan: BatchPlan
  let ahead: Int
  let workers: Int

  /// Starts the workers.
  public func makeAsyncIterator() -> Iterator { Iterator(plan, ahead: ahead, workers: workers) }

  /// One pass over the batches.
  ///
  /// A class, so that the end of a loop ends what is under way.
  public final class Iterator: AsyncIteratorProtocol {
    private let plan: BatchPlan
    private let ahead: Int
    private let workers: [BatchWorker]
    /// The next batches, in order.
    private var pending: [Task<Batch, any Error>] = []
    private var asked = 0

    init(_ plan: BatchPlan, ahead: Int, workers: Int) {
      self.plan = plan
      self.ahead = Swift.max(1, ahead)
      // More threads than batches would only wait.
      let useful = Swift.max(1, Swift.min(workers, self.ahead, plan.count))
      self.workers = (0..<useful).map { BatchWorker(number: $0) }
    }

    deinit { for task in pending { task.cancel() } }

    /// The next batch; `nil` after the last.
    ///
    /// - Throws: What making the batch throws, and `CancellationError` if the task is cancelled.
    public func next() async throws -> Batch? {
      do {
        // A batch that is ready would come although the task is cancelled.
        try Task.checkCancellation()
        prepare()
        guard !pending.isEmpty else { return nil }
        let first = pending.removeFirst()
        // The caller is about to use one: its place is free.
        prepare()
        return try await withTaskCancellationHandler {
          try await first.value
        } onCancel: {
          first.cancel()
        }
      } catch {
        // Nothing follows an error.
        for task in pending { task.cancel() }
        pending = []
        asked = plan.count
        throw error
      }
    }

    /// Asks the workers for batches until enough are on their way.
    private func prepare() {
      while asked < plan.count, pending.count < ahead {
        let (worker, plan, number) = (workers[asked % workers.count], plan, asked)
        // An iterator has no scope that a group of tasks could end with: `deinit` ends them.
        pending.append(Task { try await worker.batch(number, of: plan) })
        asked += 1
      }
    }
  }
}

/// Makes batches on a thread of its own.
private actor BatchWorker {
  private let lane: ComputeLane
  nonisolated var unownedExecutor: UnownedSerialExecutor { lane.asUnownedSerialExecutor() }

  init(number: Int) {
    lane = ComputeLane(name: "tessera.load.\(number)", threads: 1)
  }

  func batch(_ number: Int, of plan: BatchPlan) throws -> Batch {
    try Task.checkCancellation()
    return try plan.batch(number)
  }
}

extension BatchPlan {
  /// The batches in order, prepared ahead on other threads.
  ///
  /// - Parameters:
  ///   - ahead: How many batches are ready or under way while one is in use, at least 1.
  ///   - workers: How many threads prepare them, at least 1; no more than `ahead` are of use.
  /// - Returns: A sequence for `for try await`.
  public func prefetched(ahead: Int = 4, workers: Int = 1) -> PrefetchedBatches {
    PrefetchedBatches(plan: self, ahead: ahead, workers: workers)
  }
}
