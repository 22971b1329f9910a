internal import Foundation
internal import Synchronization
internal import TesseraCore

/// Work on many things at a time, on all cores.
enum ParallelWork {
  private struct State<Result> {
    var results: [Result?]
    var done = 0
    var failure: (number: Int, error: any Error)?
  }

  /// What `body` makes of each number from 0 on, in their order.
  ///
  /// - Parameters:
  ///   - count: How many there are.
  ///   - step: What reports call the work.
  ///   - progress: Is told after each one, from whichever thread; what it throws ends the work.
  ///   - body: Is called on several threads at a time.
  /// - Returns: The results.
  /// - Throws: What the first failure was, by number; what comes after a failure may be left out.
  static func map<Result: Sendable>(
    _ count: Int,
    step: String,
    progress: @Sendable (DatasetProgress) throws -> Void,
    _ body: @Sendable (Int) throws -> Result
  ) throws -> [Result] {
    let state = Mutex(State<Result>(results: Array(repeating: nil, count: count)))
    withoutActuallyEscaping(progress) { progress in
      withoutActuallyEscaping(body) { body in
        DispatchQueue.concurrentPerform(iterations: count) { number in
          guard state.withLock({ $0.failure == nil }) else { return }
          do {
            let result = try onSingleThread { try body(number) }
            let done = state.withLock { state in
              state.results[number] = result
              state.done += 1
              return state.done
            }
            try progress(DatasetProgress(step: step, done: done, total: count))
          } catch {
            state.withLock { state in
              if state.failure.map({ number < $0.number }) ?? true {
                state.failure = (number, error)
              }
            }
          }
        }
      }
    }
    return try state.withLock { state in
      if let failure = state.failure { throw failure.error }
      return state.results.compactMap { $0 }
    }
  }
}
