internal import ArgumentParser
internal import Dispatch
internal import Foundation
internal import Synchronization
internal import TesseraCommandLine
internal import TesseraDeployment

/// How a long-running program ends: by a signal, or because somebody who may operate it asks.
final class Ending: Sendable {
  private struct State: Sendable {
    var stop: (@Sendable () -> Void)?
    var isEnded = false
    var beginsAnew = false
  }
  private let state = Mutex(State())

  /// The exit code of a program that was to begin anew, and could not: that of a failure that passes.
  static let wantsRestart: Int32 = 75

  /// Runs a program until it ends; begins it anew if that was asked for.
  ///
  /// - Throws: What ended it, if nobody asked.
  func run(_ body: @escaping @Sendable (Ending) async throws -> Void) async throws {
    let signals = StopSignals { self.stop() }
    defer { signals.cancel() }
    let program = Task { try await body(self) }
    let isLate = state.withLock { state in
      state.stop = { program.cancel() }
      return state.isEnded
    }
    if isLate { program.cancel() }
    do { try await program.value } catch {
      guard state.withLock(\.isEnded) else { throw error }
    }
    if state.withLock(\.beginsAnew) {
      Self.beginAnew()
      // Only if the system refuses. The service manager starts again what has ended with an error.
      throw ExitCode(Self.wantsRestart)
    }
  }

  /// Does what somebody asked for.
  func end(_ operation: SiteOperation, _ log: ProgramLog) {
    switch operation {
    case .logLevel(let level): log.set(level: level)
    case .restart:
      state.withLock { $0.beginsAnew = true }
      stop()
    case .shutdown: stop()
    }
  }

  /// Ends the program at once: whatever it did to end in order could only be refused, and hold up who takes over.
  ///
  /// - Parameter say: Says why; nobody waits for it longer than a moment, as whoever reads what is said may have stopped.
  static func now(_ say: @escaping @Sendable () -> Void) -> Never {
    let isSaid = DispatchSemaphore(value: 0)
    Thread.detachNewThread {
      say()
      isSaid.signal()
    }
    _ = isSaid.wait(timeout: .now() + .milliseconds(200))
    _exit(1)
  }

  private func stop() {
    let stop = state.withLock { state in
      state.isEnded = true
      return state.stop
    }
    stop?()
  }

  /// Puts the same program, with the same arguments, in the place of this one.
  private static func beginAnew() {
    var arguments: [UnsafeMutablePointer<CChar>?] = CommandLine.arguments.map { strdup($0) }
    arguments.append(nil)
    // By its name: an update may have put another file there, and this is the moment for it.
    if let program = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe") {
      let deleted = " (deleted)"
      execv(
        program.hasSuffix(deleted) ? String(program.dropLast(deleted.count)) : program,
        &arguments
      )
    }
    execv("/proc/self/exe", &arguments)
  }
}
