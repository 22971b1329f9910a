internal import Dispatch

/// Tells whether the program's tasks still run: those that ask are threads of others, which run on when all of the tasks' are stuck.
final class TaskPulse: Sendable {
  private let beats: AsyncStream<DispatchSemaphore>
  private let beat: AsyncStream<DispatchSemaphore>.Continuation

  init() { (beats, beat) = AsyncStream.makeStream() }

  /// Answers, until the task is cancelled.
  func run() async { for await beat in beats { beat.signal() } }

  /// Whether a task has run within so much time; the thread waits for it.
  func isThere(within time: Duration) -> Bool {
    let answered = DispatchSemaphore(value: 0)
    beat.yield(answered)
    return answered.wait(timeout: .now() + time / .seconds(1)) == .success
  }
}
