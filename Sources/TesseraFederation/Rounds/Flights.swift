internal import Synchronization
internal import TesseraCore

/// The tasks of a run that nobody waits for yet, from round to round, and those that have come back.
final class Flights: Sendable {
  private struct State {
    /// The site of each task that has not been taken, by the task's number.
    var sites: [Int: Int] = [:]
    var busy: Set<Int> = []
    /// Grows when all is abandoned: what comes back of an earlier one is no one's.
    var generation = 0
  }
  private enum Operation: Sendable {
    case start(@Sendable () async -> Void)
    case abandon
  }
  private let state = Mutex(State())
  private let operations: AsyncStream<Operation>
  private let operation: AsyncStream<Operation>.Continuation
  private let arrivals: AsyncStream<(ReturnedTask, Int)>
  private let arrival: AsyncStream<(ReturnedTask, Int)>.Continuation

  init() {
    (operations, operation) = AsyncStream.makeStream()
    (arrivals, arrival) = AsyncStream.makeStream()
  }

  /// Carries out what is started, until the run is over; what is then under way is told to stop.
  func run() async {
    while await carryOut() {}
  }

  /// Until all is abandoned, or the run is over: then `false`.
  private func carryOut() async -> Bool {
    await withDiscardingTaskGroup { group in
      for await operation in operations {
        switch operation {
        case .start(let body): group.addTask { await body() }
        case .abandon:
          group.cancelAll()
          return true
        }
      }
      group.cancelAll()
      return false
    }
  }

  /// Tells all that is under way to stop, and forgets it.
  func abandon() {
    let isIdle = state.withLock { state in
      let isIdle = state.sites.isEmpty
      state = State(generation: state.generation + 1)
      return isIdle
    }
    if !isIdle { operation.yield(.abandon) }
  }

  func finish() { operation.finish() }

  /// The numbers of the tasks that have not been taken.
  var numbers: Set<Int> { state.withLock { Set($0.sites.keys) } }

  /// The indices of the sites that have a task that has not been taken.
  var busy: Set<Int> { state.withLock { $0.busy } }

  /// Notes tasks as sent.
  ///
  /// - Returns: What ``land(_:of:)`` wants to know.
  /// - Throws: ``FederationError`` if a site is at work already: it keeps one memory, so it does one thing at a time.
  func add(_ flights: [Dispatch.Flight]) throws -> Int {
    try state.withLock { state in
      var next = state
      for flight in flights {
        guard next.busy.insert(flight.site.index).inserted,
          next.sites.updateValue(flight.site.index, forKey: flight.number) == nil
        else {
          throw FederationError(
            code: .badTask,
            message: "\(flight.site.name) is at work already, or task \(flight.number) is"
          )
        }
      }
      state = next
      return state.generation
    }
  }

  func start(_ body: @escaping @Sendable () async -> Void) { operation.yield(.start(body)) }

  func land(_ task: ReturnedTask, of generation: Int) { arrival.yield((task, generation)) }

  /// The task that came back first, or `nil` if none is under way.
  func next() async throws -> ReturnedTask? {
    guard state.withLock({ !$0.sites.isEmpty }) else { return nil }
    for await (task, generation) in arrivals {
      let isWanted = state.withLock { state in
        guard generation == state.generation else { return false }
        if let site = state.sites.removeValue(forKey: task.number) { state.busy.remove(site) }
        return true
      }
      if isWanted { return task }
    }
    throw CancellationError()
  }
}
