internal import Dispatch
internal import Foundation

/// Ctrl-C and `kill`, as a call.
public final class StopSignals {
  private let sources: [any DispatchSourceSignal]

  /// Calls `stop` at the first of them; the second ends the program.
  public init(_ stop: @escaping @Sendable () -> Void) {
    sources = [SIGINT, SIGTERM].map { number in
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
    for number in [SIGINT, SIGTERM] { signal(number, SIG_DFL) }
  }
}
