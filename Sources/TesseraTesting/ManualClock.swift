internal import Synchronization

/// A clock that goes as a test says.
///
///     let clock = ManualClock()
///     async let result = work(on: clock)
///     await clock.sleeper(until: .seconds(10))
///     clock.advance(to: .seconds(10))
public final class ManualClock: Sendable {
  private struct Sleeper {
    var time: Duration
    var continuation: CheckedContinuation<Void, any Error>
  }
  private struct State {
    var time = Duration.zero
    var sleepers: [Int: Sleeper] = [:]
    var watchers: [(time: Duration, continuation: CheckedContinuation<Void, Never>)] = []
    var next = 0
  }
  private let state = Mutex(State())

  /// A clock at zero.
  public init() {}

  /// The time.
  public func now() -> Duration { state.withLock { $0.time } }

  /// Returns when the clock has been moved to a time.
  ///
  /// - Throws: `CancellationError` if the task is cancelled before.
  public func sleep(until time: Duration) async throws {
    let number = state.withLock { state in
      state.next += 1
      return state.next
    }
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let (result, watchers) = state.withLock { state in
          if Task.isCancelled {
            return (
              Result<Void, any Error>?.some(.failure(CancellationError())),
              [] as [CheckedContinuation<Void, Never>]
            )
          }
          guard time > state.time else { return (.some(.success(())), []) }
          state.sleepers[number] = Sleeper(time: time, continuation: continuation)
          let woken = state.watchers.filter { $0.time == time }.map(\.continuation)
          state.watchers.removeAll { $0.time == time }
          return (nil, woken)
        }
        if let result { continuation.resume(with: result) }
        for watcher in watchers { watcher.resume() }
      }
    } onCancel: {
      let sleeper = state.withLock { $0.sleepers.removeValue(forKey: number) }
      sleeper?.continuation.resume(throwing: CancellationError())
    }
  }

  /// Moves the clock, and wakes those who slept until then.
  public func advance(to time: Duration) {
    let woken = state.withLock { state in
      state.time = max(state.time, time)
      let due = state.sleepers.filter { $0.value.time <= state.time }
      for number in due.keys { state.sleepers[number] = nil }
      return due.sorted { ($0.value.time, $0.key) < ($1.value.time, $1.key) }.map(\.value)
    }
    for sleeper in woken { sleeper.continuation.resume() }
  }

  /// Returns when somebody sleeps until this time.
  public func sleeper(until time: Duration) async {
    await withCheckedContinuation { continuation in
      let isThere = state.withLock { state in
        if state.sleepers.values.contains(where: { $0.time == time }) { return true }
        state.watchers.append((time, continuation))
        return false
      }
      if isThere { continuation.resume() }
    }
  }
}
