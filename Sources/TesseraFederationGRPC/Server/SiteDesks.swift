internal import Synchronization
internal import TesseraFederation

/// The server's side of all sites: carries out what their ``SiteDesk``s say.
final class SiteDesks: Sendable {
  private let desks = Mutex<[String: Desk]>([:])
  private let patience: Duration
  /// Is told when a site comes or goes.
  private let observer = Mutex<@Sendable () -> Void>({})

  init(patience: Duration) { self.patience = patience }

  /// A site's desk.
  subscript(site: String) -> Desk {
    desks.withLock { desks in
      if let desk = desks[site] { return desk }
      let desk = Desk(SiteDesk(name: site, patience: patience)) { [weak self] in
        self?.observer.withLock { $0 }()
      }
      desks[site] = desk
      return desk
    }
  }

  /// Calls somebody whenever a site comes or goes.
  func whenSitesChange(_ observer: @escaping @Sendable () -> Void) {
    self.observer.withLock { $0 = observer }
  }

  /// Ends all connections.
  func closeAll(because reason: String) {
    for desk in desks.withLock({ Array($0.values) }) { desk.close(because: reason) }
  }

  /// The names of the sites that are there.
  var connected: [String] {
    desks.withLock { $0.filter { $0.value.isConnected }.keys.sorted() }
  }
}

/// One site's desk, with the connection at which it is, if any.
final class Desk: Sendable {
  private struct State: Sendable {
    var machine: SiteDesk
    var reports: [TaskID: @Sendable (SiteEvent) -> Void] = [:]
    /// Grows with each connection: what an earlier one still says is no longer heard.
    var connection = 0
    var outbox: AsyncThrowingStream<ServerMessage, any Error>.Continuation?
  }

  private let state: Mutex<State>

  private let didChange: @Sendable () -> Void

  init(_ machine: SiteDesk, didChange: @escaping @Sendable () -> Void) {
    state = Mutex(State(machine: machine))
    self.didChange = didChange
  }

  var isConnected: Bool { state.withLock { $0.machine.isConnected } }

  /// The content of a task.
  func content(of id: TaskID) -> OutgoingParcel? { state.withLock { $0.machine.content(of: id) } }

  /// Gives the site a task.
  func assign(
    _ id: TaskID,
    _ task: AnnouncedTask,
    report: @escaping @Sendable (SiteEvent) -> Void
  ) {
    state.withLock { $0.reports[id] = report }
    handle(.assigned(id, task))
  }

  /// Takes a task back.
  func withdraw(_ id: TaskID, because reason: String) {
    state.withLock { $0.reports[id] = nil }
    handle(.withdrawn(id, reason: reason))
  }

  /// A connection is there; an earlier one is closed.
  func connect() -> (number: Int, outbox: AsyncThrowingStream<ServerMessage, any Error>) {
    let (outbox, continuation) = AsyncThrowingStream<ServerMessage, any Error>.makeStream()
    let number = state.withLock { state in
      state.outbox?.finish(throwing: FederationError.wire("the site has opened another connection"))
      state.outbox = continuation
      state.connection += 1
      return state.connection
    }
    handle(.connected)
    return (number, outbox)
  }

  /// Ends the connection, if there is one.
  func close(because reason: String) {
    state.withLock { $0.outbox?.finish(throwing: FederationError.wire(reason)) }
  }

  /// The connection is over.
  func disconnect(_ number: Int) {
    let isCurrent = state.withLock { state in
      guard state.connection == number else { return false }
      state.outbox = nil
      return true
    }
    if isCurrent { handle(.disconnected) }
  }

  /// What the site says at a connection.
  func received(_ message: SiteMessage, at number: Int) {
    guard state.withLock({ $0.connection == number }) else { return }
    handle(.received(message))
  }

  func handle(_ event: SiteDesk.Event) {
    var reports: [() -> Void] = []
    let hasChanged = state.withLock { state in
      let wasConnected = state.machine.isConnected
      for action in state.machine.handle(event) {
        switch action {
        case .send(let message): state.outbox?.yield(message)
        case .close(let reason):
          state.outbox?.finish(throwing: FederationError.wire(reason))
          state.outbox = nil
        case .report(let id, let event):
          guard let report = state.reports[id] else { continue }
          if case .answered = event { state.reports[id] = nil }
          reports.append { report(event) }
        }
      }
      return state.machine.isConnected != wasConnected
    }
    // Outside of the lock: a job may give the site its next task at once.
    for report in reports { report() }
    if hasChanged { didChange() }
  }
}
