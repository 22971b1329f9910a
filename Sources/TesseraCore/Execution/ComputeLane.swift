internal import CTessera
internal import Dispatch
internal import Foundation
internal import Synchronization

// @unchecked Sendable: `queue` is a Mutex, `signal` is thread-safe, and the rest is constant.
/// A thread of its own on which tensor work runs, as the executor of an actor or of a task.
///
/// LibTorch keeps a team of worker threads for every thread that calls it, and blocks the caller while it computes. So
/// tensor work does not run on Swift's shared threads: an actor names a lane as its executor, and all of its work runs on
/// the lane's thread, in order.
///
///     actor Trainer {
///       let lane = ComputeLane(threads: 4)
///       nonisolated var unownedExecutor: UnownedSerialExecutor { lane.asUnownedSerialExecutor() }
///     }
///
/// A task prefers a lane by `Task(executorPreference: lane)` or `group.addTask(executorPreference: lane)`. What it calls that
/// belongs to no actor then runs on the lane too, wherever it was compiled.
///
/// A training run uses one lane with all cores. A simulation uses several lanes of one thread each, whose results have the
/// same bits however many lanes there are.
public final class ComputeLane: SerialExecutor, TaskExecutor, @unchecked Sendable {
  /// How many threads an operation on this lane uses inside.
  public let threads: Int
  private let inbox = Inbox()

  /// Starts a lane.
  ///
  /// - Parameters:
  ///   - name: The thread's name, as `top -H` shows it: at most 15 bytes of it.
  ///   - threads: How many threads an operation uses inside; all cores if `nil`.
  public init(name: String = "tessera.lane", threads: Int? = nil) {
    let count = max(1, threads ?? ProcessInfo.processInfo.activeProcessorCount)
    self.threads = count
    let inbox = inbox
    let thread = Thread {
      // Not by Foundation, whose name reaches the system only if the thread was slower than its maker.
      tessera_name_thread(name)
      tessera_use_threads(Int32(clamping: count))
      while let job = inbox.next() { job() }
    }
    // The default of 512 KB is little for deep autograd graphs.
    thread.stackSize = 16 << 20
    thread.start()
  }

  deinit { inbox.close() }

  /// Queues a job for the lane's thread.
  public func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    // The job's closure keeps the lane alive until it has run.
    inbox.add { [self] in
      job.runSynchronously(
        isolatedTo: asUnownedSerialExecutor(),
        taskExecutor: asUnownedTaskExecutor()
      )
    }
  }

  /// The lane as an actor's executor.
  public func asUnownedSerialExecutor() -> UnownedSerialExecutor {
    UnownedSerialExecutor(ordinary: self)
  }
}

/// The jobs that wait for a lane.
//
// @unchecked Sendable: the semaphore is thread-safe, and the Mutex guards the rest.
private final class Inbox: @unchecked Sendable {
  private struct State {
    var jobs: [@Sendable () -> Void] = []
    var isClosed = false
  }
  private let state = Mutex(State())
  private let arrived = DispatchSemaphore(value: 0)
  /// What was taken from `state` and not yet run, the next one last; only the lane's thread touches it.
  ///
  /// Not a slice: its storage would keep the jobs that have run, and through them the lane itself.
  private var taken: [@Sendable () -> Void] = []

  func add(_ job: @escaping @Sendable () -> Void) {
    state.withLock { $0.jobs.append(job) }
    arrived.signal()
  }

  func close() {
    state.withLock { $0.isClosed = true }
    arrived.signal()
  }

  /// The next job.
  ///
  /// Waits for one. `nil` when the lane is gone and nothing is left.
  func next() -> (@Sendable () -> Void)? {
    while true {
      if let job = taken.popLast() { return job }
      arrived.wait()
      let isClosed = state.withLock { state in
        taken = state.jobs.reversed()
        state.jobs = []
        return state.isClosed
      }
      if taken.isEmpty, isClosed { return nil }
    }
  }
}
