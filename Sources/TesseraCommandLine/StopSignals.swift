internal import Dispatch
internal import Foundation

/// Ctrl-C and `kill`, as a call.
public final class StopSignals {
  private let sources: [any DispatchSourceSignal]
  private let numbers: [Int32]

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
    sources = numbers.map { number in
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler {
        stop()
        // A second Ctrl-C ends the program at once.
        signal(number, SIG_DFL)
      }
      source.resume()
      return source
    }
  }

  /// They end the program again.
  public func cancel() {
    for source in sources { source.cancel() }
    // What follows has nothing to save.
    for number in numbers { signal(number, SIG_DFL) }
  }
}
