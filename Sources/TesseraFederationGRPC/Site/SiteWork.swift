internal import Synchronization
internal import TesseraFederation

/// A site's work, which outlives its connections: carries out what its ``SiteDuties`` say.
final class SiteWork: Sendable {
  /// What a connection has to do.
  enum Errand: Sendable {
    case say(SiteMessage)
    case announce(TaskID, OutgoingParcel)
    case fetch(TaskID, [Int])
    case deliver(TaskID, OutgoingParcel, [Int])
  }

  private enum Operation: Sendable {
    case start(TaskID, SiteTask, number: Int, stop: AsyncStream<Never>)
    case settle(TaskID)
    case forget(job: String, isAborted: Bool)
  }

  private struct State: Sendable {
    var duties: SiteDuties
    var errands: AsyncThrowingStream<Errand, any Error>.Continuation?
    /// Grows with each connection.
    var connection = 0
    /// Ends the work at a task.
    ///
    /// A task that is given anew, and is another one, is worked at under another number.
    var stops: [TaskID: (number: Int, stop: AsyncStream<Never>.Continuation)] = [:]
    /// Grows with each task that is begun.
    var starts = 0
    /// When tasks began, or signs of life were given last.
    var signs: [TaskID: ContinuousClock.Instant] = [:]
    /// What was measured and not told yet, and when something was told last.
    var measured: [TaskID: (told: ContinuousClock.Instant?, waiting: TaskMeasurements?)] = [:]
  }

  private let state: Mutex<State>
  private let operations: AsyncStream<Operation>
  private let operation: AsyncStream<Operation>.Continuation
  private let lanes: LanePool
  private let handler: any SiteTaskHandler

  init(lanes: LanePool, largestContent: Int = .max, handler: any SiteTaskHandler) {
    state = Mutex(State(duties: SiteDuties(largestContent: largestContent)))
    (operations, operation) = AsyncStream.makeStream()
    self.lanes = lanes
    self.handler = handler
  }

  /// The tasks that the site has.
  var open: [TaskID] { state.withLock { $0.duties.open } }

  /// The jobs of which the site keeps something.
  var jobs: [String] { handler.jobs }

  /// Works, until the task is cancelled.
  func run() async {
    await withDiscardingTaskGroup { group in
      for await operation in operations {
        switch operation {
        case .start(let id, let task, let number, let stop):
          group.addTask { await self.work(id, task, number, until: stop) }
        case .settle(let id): await handler.settle(id)
        case .forget(let job, let isAborted):
          // A task may come under the same name later, but large folders keep no other job waiting.
          if let rest = await handler.forget(job, isAborted: isAborted) {
            group.addTask { await rest() }
          }
        }
      }
      group.cancelAll()
    }
  }

  func connect() -> (number: Int, errands: AsyncThrowingStream<Errand, any Error>) {
    let (errands, continuation) = AsyncThrowingStream<Errand, any Error>.makeStream()
    let number = state.withLock { state in
      state.errands = continuation
      state.connection += 1
      return state.connection
    }
    handle(.connected)
    return (number, errands)
  }

  func disconnect(_ number: Int) {
    let isCurrent = state.withLock { state in
      guard state.connection == number else { return false }
      state.errands = nil
      return true
    }
    if isCurrent { handle(.disconnected) }
  }

  func handle(_ event: SiteDuties.Event) { state.withLock { handle(event, &$0) } }

  private func handle(_ event: SiteDuties.Event, _ state: inout State) {
    for action in state.duties.handle(event) {
      switch action {
      case .send(let message): state.errands?.yield(.say(message))
      case .announce(let id, let parcel): state.errands?.yield(.announce(id, parcel))
      case .fetch(let id, let chunks): state.errands?.yield(.fetch(id, chunks))
      case .deliver(let id, let parcel, let chunks):
        state.errands?.yield(.deliver(id, parcel, chunks))
      case .start(let id, let task):
        let (stop, stopping) = AsyncStream<Never>.makeStream()
        state.starts += 1
        // That the task came says that the site lives; short ones need no other sign.
        state.signs[id] = .now
        state.stops[id] = (state.starts, stopping)
        operation.yield(.start(id, task, number: state.starts, stop: stop))
      case .cancel(let id):
        state.stops.removeValue(forKey: id)?.stop.finish()
        (state.signs[id], state.measured[id]) = (nil, nil)
      case .settle(let id): operation.yield(.settle(id))
      case .forget(let job, let isAborted):
        operation.yield(.forget(job: job, isAborted: isAborted))
      case .close(let reason):
        state.errands?.finish(throwing: FederationError.wire(reason))
        state.errands = nil
      }
    }
  }

  private func work(
    _ id: TaskID,
    _ task: SiteTask,
    _ number: Int,
    until stop: AsyncStream<Never>
  ) async {
    let result: Result<OutgoingParcel, FederationError>? = await withTaskGroup { group in
      group.addTask { await self.answer(id, task) }
      group.addTask {
        for await _ in stop {}
        return nil
      }
      let first = await group.next() ?? nil
      group.cancelAll()
      return first
    }
    state.withLock { state in
      guard state.stops[id]?.number == number else { return }
      state.signs[id] = nil
      state.measured[id] = nil
      state.stops[id] = nil
      // Within the lock: another task may come under the same name at any time.
      if let result { handle(.finished(id, result), &state) }
    }
  }

  private func answer(
    _ id: TaskID,
    _ task: SiteTask
  ) async -> Result<OutgoingParcel, FederationError>? {
    let outcome = Mutex<Result<OutgoingParcel, FederationError>?>(nil)
    let carryOut: @Sendable (SiteTask) async -> Void = { task in
      do {
        let answer = try await self.handler.answer(task, of: id.job) {
          self.showLife(at: id)
        } measured: {
          self.tell($0, of: id)
        }
        let parcel = try OutgoingParcel(answer)
        try self.handler.release(parcel.parcel, to: task, of: id.job)
        outcome.withLock { $0 = .success(parcel) }
      } catch is CancellationError {
        // Nobody waits for it.
      } catch {
        let shown =
          error as? FederationError
          ?? FederationError(code: .rejectedUpdate, message: "\(task.site.name): \(error)")
        outcome.withLock { $0 = .failure(shown) }
      }
    }
    if handler.computes(task, of: id.job) {
      await lanes.forEach([task], carryOut)
    } else {
      await carryOut(task)
    }
    return outcome.withLock { $0 }
  }

  /// How often measurements are told at most.
  private static let measuringInterval = Duration.milliseconds(250)

  /// Tells the server what was measured: a few times a second, and of each name the last.
  private func tell(_ measurements: TaskMeasurements, of id: TaskID) {
    let due = state.withLock { state -> TaskMeasurements? in
      guard state.stops[id] != nil else { return nil }
      let now = ContinuousClock.now
      var entry = state.measured[id] ?? (nil, nil)
      let all = entry.waiting?.updated(by: measurements) ?? measurements
      if let told = entry.told, now - told < Self.measuringInterval {
        entry.waiting = all
        state.measured[id] = entry
        return nil
      }
      state.measured[id] = (now, nil)
      return all
    }
    if let due { handle(.measured(id, due)) }
  }

  /// Tells the server that the work goes on, not more often than it has to know.
  private func showLife(at id: TaskID) {
    let isDue = state.withLock { state in
      guard state.stops[id] != nil else { return false }
      let now = ContinuousClock.now
      // A job may be less patient than its server.
      let interval = min((state.duties.patience ?? .seconds(1)) / 10, .seconds(1))
      if let last = state.signs[id], now - last < interval { return false }
      state.signs[id] = now
      return true
    }
    if isDue { handle(.progressed(id)) }
  }
}
