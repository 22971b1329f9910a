internal import CProcess
internal import Foundation
internal import Synchronization
internal import SystemPackage

/// One site's trainer over a job, on a thread of its own.
///
/// The thread waits for the program's messages and for its end, and does what ``TrainerSession`` says; tasks wait for it by
/// continuations, so that no lane and no thread of Swift's pool is held. The trainer ends with this object, if not before.
final class TrainerThread: Sendable {
  /// Where trainer and site put files for each other.
  let folder: TrainerFolder
  private let mailbox: TrainerMailbox

  /// A trainer that is started with its first task.
  ///
  /// - Parameters:
  ///   - program: What to start.
  ///   - welcome: Whom it works for; the folder is filled in.
  ///   - logs: Where to keep what it says; nowhere if `nil`.
  ///   - endSteps: As ``TrainerSession/endSteps``.
  /// - Throws: ``FederationError`` or `Errno` if the system refuses folders or files.
  init(
    _ program: TrainerProgram,
    welcome: TrainerOrder.Welcome,
    logs: FilePath?,
    endSteps: (Duration, Duration)
  ) throws {
    folder = try TrainerFolder()
    mailbox = try TrainerMailbox()
    var welcome = welcome
    welcome.folder = folder.path.string
    let (mailbox, folder) = (mailbox, folder)
    let session = TrainerSession(welcome: welcome, endSteps: endSteps)
    let thread = Thread {
      TrainerLoop(program, session, logs: logs, folder: folder, mailbox: mailbox).run()
    }
    thread.name = "tessera.trainer"
    // JSON may be nested deeply before it is refused.
    thread.stackSize = 8 << 20
    thread.start()
  }

  deinit { mailbox.post(.event(.closing(isUrgent: false))) }

  /// Hands over a task, and waits for what becomes of it.
  ///
  /// - Parameters:
  ///   - task: Its number is unique.
  ///   - progress: Is called when the trainer shows that it is alive.
  ///   - measured: Is called with what it logs.
  /// - Returns: What the trainer says.
  /// - Throws: ``TrainerFailure``; `CancellationError` once the trainer is gone if the task was cancelled, or the job is over.
  func ask(
    _ task: TrainerOrder.Task,
    progress: @escaping @Sendable () -> Void,
    measured: @escaping @Sendable (TaskMeasurements) -> Void
  ) async throws -> TrainerSession.Outcome {
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        mailbox.post(task, progress, measured, continuation)
        // The handler may have been called before there was anything to cancel.
        if Task.isCancelled { mailbox.post(.event(.cancelled(task.task))) }
      }
    } onCancel: {
      mailbox.post(.event(.cancelled(task.task)))
    }
  }

  /// Ends the trainer because its answer was not what it should be.
  func reject(_ violation: TrainerViolation, task: Int) {
    mailbox.post(.event(.violated(violation, task: task)))
  }

  /// Ends the trainer, and waits until it is gone: it is told that the job is over, and aborted when the current task is cancelled,
  /// before this or meanwhile.
  func close() async {
    await withTaskCancellationHandler {
      await withCheckedContinuation { mailbox.postClosing($0) }
    } onCancel: {
      mailbox.post(.event(.closing(isUrgent: true)))
    }
  }
}

/// What others want of a trainer's thread.
final class TrainerMailbox: Sendable {
  /// A thing to look at.
  enum Letter: Sendable {
    /// Something that happens to the session.
    case event(TrainerSession.Event)
    /// A process has ended.
    case ended(pid_t)
  }

  /// A task that is waited for.
  struct Waiter: Sendable {
    var progress: @Sendable () -> Void
    var measured: @Sendable (TaskMeasurements) -> Void
    var continuation: CheckedContinuation<TrainerSession.Outcome, any Error>
    /// When progress was passed on last.
    var lastProgress: ContinuousClock.Instant?
  }

  private struct State {
    var letters: [Letter] = []
    var waiters: [Int: Waiter] = [:]
    var closers: [CheckedContinuation<Void, Never>] = []
    /// The thread has ended.
    var isClosed = false
  }
  private let state = Mutex(State())
  /// The end to wait at, and the end to write to.
  private let pipe: (read: FileDescriptor, write: FileDescriptor)

  /// Progress is not passed on more often than this: whoever measures patience measures seconds.
  private static let progressInterval = Duration.milliseconds(50)

  init() throws {
    var ends: [Int32] = [-1, -1]
    guard tessera_pipe(&ends) == 0 else { throw Errno(rawValue: errno) }
    pipe = (FileDescriptor(rawValue: ends[0]), FileDescriptor(rawValue: ends[1]))
  }

  deinit {
    try? pipe.read.close()
    try? pipe.write.close()
  }

  /// What is readable when there is a letter.
  var descriptor: Int32 { pipe.read.rawValue }

  func post(_ letter: Letter) {
    state.withLock { $0.letters.append(letter) }
    wake()
  }

  func post(
    _ task: TrainerOrder.Task,
    _ progress: @escaping @Sendable () -> Void,
    _ measured: @escaping @Sendable (TaskMeasurements) -> Void,
    _ continuation: CheckedContinuation<TrainerSession.Outcome, any Error>
  ) {
    let isClosed = state.withLock { state in
      guard !state.isClosed else { return true }
      state.waiters[task.task] = Waiter(
        progress: progress,
        measured: measured,
        continuation: continuation
      )
      state.letters.append(.event(.asked(task)))
      return false
    }
    guard !isClosed else {
      continuation.resume(throwing: CancellationError())
      return
    }
    wake()
  }

  func postClosing(_ continuation: CheckedContinuation<Void, Never>) {
    let isClosed = state.withLock { state in
      guard !state.isClosed else { return true }
      state.closers.append(continuation)
      state.letters.append(.event(.closing(isUrgent: false)))
      return false
    }
    guard !isClosed else {
      continuation.resume()
      return
    }
    wake()
  }

  /// The letters that have come, for the thread.
  func take() -> [Letter] {
    var bytes: (UInt64, UInt64) = (0, 0)
    while (try? withUnsafeMutableBytes(of: &bytes, { try pipe.read.read(into: $0) })) ?? 0 > 0 {}
    return state.withLock { state in
      defer { state.letters = [] }
      return state.letters
    }
  }

  /// Hands over what became of a task.
  func finish(_ task: Int, _ result: Result<TrainerSession.Outcome, any Error>) {
    let waiter = state.withLock { $0.waiters.removeValue(forKey: task) }
    waiter?.continuation.resume(with: result)
  }

  /// Passes on that a task goes on.
  func progress(_ task: Int) {
    let now = ContinuousClock.now
    let progress = state.withLock { state -> (@Sendable () -> Void)? in
      guard let waiter = state.waiters[task] else { return nil }
      if let last = waiter.lastProgress, now - last < Self.progressInterval { return nil }
      state.waiters[task]?.lastProgress = now
      return waiter.progress
    }
    progress?()
  }

  /// Passes on what was measured at a task.
  func measured(_ measurements: TaskMeasurements, at task: Int) {
    state.withLock { $0.waiters[task]?.measured }?(measurements)
  }

  /// Nothing more is looked at.
  func close() {
    let (waiters, closers) = state.withLock { state in
      state.isClosed = true
      defer { (state.waiters, state.closers) = ([:], []) }
      return (state.waiters.values, state.closers)
    }
    for waiter in waiters { waiter.continuation.resume(throwing: CancellationError()) }
    for closer in closers { closer.resume() }
  }

  private func wake() {
    // A pipe that is full wakes, too.
    _ = try? withUnsafeBytes(of: UInt8(1)) { try pipe.write.write($0) }
  }
}
