internal import Dispatch
internal import Foundation

/// Ctrl-C while a console lasts: something to wait for, beside the keyboard or a command.
///
/// A source of Dispatch does not do here: it blocks the signal in each thread that it meets, so that what waits for the keyboard is
/// not woken a second time.
final class Interrupts {
  /// Has something to read when the key was pressed.
  let descriptor: Int32
  // A signal's handler has no context. It is set before the handler is, and one console lasts at a time.
  private nonisolated(unsafe) static var end: Int32 = -1

  /// Takes Ctrl-C over.
  ///
  /// - Throws: `POSIXError` if the system has no pipe to give.
  init() throws {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
    for end in ends {
      _ = fcntl(end, F_SETFL, O_NONBLOCK)
      _ = fcntl(end, F_SETFD, FD_CLOEXEC)
    }
    descriptor = ends[0]
    Self.end = ends[1]
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { _ in
      let before = errno
      var byte: UInt8 = 1
      // A full pipe says enough.
      _ = write(Interrupts.end, &byte, 1)
      errno = before
    }
    action.sa_flags = SA_RESTART
    sigaction(SIGINT, &action, nil)
  }

  deinit {
    signal(SIGINT, SIG_DFL)
    close(Self.end)
    close(descriptor)
  }

  /// Forgets what was pressed so far.
  ///
  /// - Returns: Whether something was.
  @discardableResult
  func drain() -> Bool { Self.drain(descriptor) }

  private static func drain(_ descriptor: Int32) -> Bool {
    var bytes = [UInt8](repeating: 0, count: 64)
    var found = false
    while read(descriptor, &bytes, bytes.count) > 0 { found = true }
    return found
  }

  /// Waits for a task, which the key cancels.
  func cancelling(_ task: Task<Void, Never>) async {
    drain()
    let source = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: .global())
    source.setEventHandler { [descriptor] in
      guard Self.drain(descriptor) else { return }
      task.cancel()
      // The terminal has shown ^C; what follows is for a line of its own.
      print("")
    }
    source.resume()
    await task.value
    // Only when the source is over may somebody else read.
    await withCheckedContinuation { (over: CheckedContinuation<Void, Never>) in
      source.setCancelHandler { over.resume() }
      source.cancel()
    }
  }
}
