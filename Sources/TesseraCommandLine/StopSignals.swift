internal import Dispatch
internal import Foundation
internal import Synchronization

/// Ctrl-C and `kill`, as a call.
public final class StopSignals: Sendable {
  private let numbers: [Int32]
  private let stop: @Sendable () -> Void

  private struct State {
    /// They stay: one that takes the place of another, which is not quite gone, would get nothing.
    var sources: [Int32: any DispatchSourceSignal] = [:]
    /// Who has not been told to stop.
    var waiting: [StopSignals] = []
  }
  private static let state = Mutex(State())

  /// Calls `stop` at the first of them; the second ends the program.
  ///
  /// - Parameters:
  ///   - numbers: Which signals; Ctrl-C, SIGINT, and `kill`, SIGTERM, if `nil`.
  ///   - stop: Is called from any thread.
  public init(
    _ numbers: [Int32]? = nil,
    _ stop: @escaping @Sendable () -> Void
  ) {
    // What ends a program from outside, if nothing else is said.
    let numbers = numbers ?? [SIGINT, SIGTERM]
    self.numbers = numbers
    self.stop = stop
    Self.state.withLock { state in
      for number in numbers where state.sources[number] == nil {
        // Until the source is ready.
        signal(number, SIG_IGN)
        let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
        source.setEventHandler { Self.received(number) }
        source.resume()
        state.sources[number] = source
      }
      state.waiting.append(self)
    }
  }

  /// They end the program again.
  public func cancel() {
    Self.state.withLock { $0.waiting.removeAll { $0 === self } }
  }

  private static func received(_ number: Int32) {
    let asked = state.withLock { state in
      let asked = state.waiting.filter { $0.numbers.contains(number) }
      state.waiting.removeAll { $0.numbers.contains(number) }
      return asked
    }
    for one in asked { one.stop() }
    if asked.isEmpty {
      signal(number, SIG_DFL)
      kill(getpid(), number)
    }
  }
}
