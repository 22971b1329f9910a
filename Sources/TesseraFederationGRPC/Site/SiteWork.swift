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
    case start(TaskID, SiteTask, stop: AsyncStream<Never>)
  }

  private struct State: Sendable {
    var duties = SiteDuties()
    var errands: AsyncThrowingStream<Errand, any Error>.Continuation?
    /// Grows with each connection.
    var connection = 0
    /// Ends the work at a task.
    var stops: [TaskID: AsyncStream<Never>.Continuation] = [:]
    var workers: [String: SiteWorker] = [:]
    /// When signs of life were given last.
    var signs: [TaskID: ContinuousClock.Instant] = [:]
  }

  private let state = Mutex(State())
  private let operations: AsyncStream<Operation>
  private let operation: AsyncStream<Operation>.Continuation
  private let lanes: LanePool
  private let makeWorker: @Sendable (String) async throws -> SiteWorker

  init(lanes: LanePool, worker: @escaping @Sendable (String) async throws -> SiteWorker) {
    (operations, operation) = AsyncStream.makeStream()
    self.lanes = lanes
    makeWorker = worker
  }

  /// The tasks that the site has.
  var open: [TaskID] { state.withLock { $0.duties.open } }

  /// Works, until the task is cancelled.
  func run() async {
    await withDiscardingTaskGroup { group in
      for await case .start(let id, let task, let stop) in operations {
        group.addTask { await self.work(id, task, until: stop) }
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

  func handle(_ event: SiteDuties.Event) {
    state.withLock { state in
      for action in state.duties.handle(event) {
        switch action {
        case .send(let message): state.errands?.yield(.say(message))
        case .announce(let id, let parcel): state.errands?.yield(.announce(id, parcel))
        case .fetch(let id, let chunks): state.errands?.yield(.fetch(id, chunks))
        case .deliver(let id, let parcel, let chunks):
          state.errands?.yield(.deliver(id, parcel, chunks))
        case .start(let id, let task):
          let (stop, stopping) = AsyncStream<Never>.makeStream()
          state.stops[id] = stopping
          operation.yield(.start(id, task, stop: stop))
        case .cancel(let id): state.stops.removeValue(forKey: id)?.finish()
        case .forget(let job): state.workers[job] = nil
        case .close(let reason):
          state.errands?.finish(throwing: FederationError.wire(reason))
          state.errands = nil
        }
      }
    }
  }

  private func work(_ id: TaskID, _ task: SiteTask, until stop: AsyncStream<Never>) async {
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
    let isWanted = state.withLock { state in
      state.signs[id] = nil
      return state.stops.removeValue(forKey: id) != nil
    }
    if let result, isWanted { handle(.finished(id, result)) }
  }

  private func answer(
    _ id: TaskID,
    _ task: SiteTask
  ) async -> Result<OutgoingParcel, FederationError>? {
    let outcome = Mutex<Result<OutgoingParcel, FederationError>?>(nil)
    await lanes.forEach([task]) { task in
      do {
        let worker = try await self.worker(for: id.job)
        let answer = try await worker.answer(task) { self.showLife(at: id) }
        let parcel = try OutgoingParcel(answer)
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
    return outcome.withLock { $0 }
  }

  private func worker(for job: String) async throws -> SiteWorker {
    if let worker = state.withLock({ $0.workers[job] }) { return worker }
    let made = try await makeWorker(job)
    return state.withLock { state in
      // Two tasks of a job that came at once share the one that was first.
      if let worker = state.workers[job] { return worker }
      state.workers[job] = made
      return made
    }
  }

  /// Tells the server that the work goes on, not more often than it has to know.
  private func showLife(at id: TaskID) {
    let isDue = state.withLock { state in
      let now = ContinuousClock.now
      let interval = (state.duties.patience ?? .seconds(1)) / 10
      if let last = state.signs[id], now - last < interval { return false }
      state.signs[id] = now
      return true
    }
    if isDue { handle(.progressed(id)) }
  }
}
