internal import Synchronization
internal import TesseraFederation
internal import TesseraProvisioning

/// The server's side of all sites: carries out what their ``SiteDesk``s say.
final class SiteDesks: Sendable {
  private let desks = Mutex<[String: Desk]>([:])
  private let patience: Duration
  /// Is told when a site comes or goes.
  private let observer = Mutex<@Sendable () -> Void>({})
  /// Is told which jobs a site keeps something of.
  private let holdings = Mutex<@Sendable (_ site: String, _ jobs: [String]) -> Void>({ _, _ in })

  init(patience: Duration) { self.patience = patience }

  /// A site's desk.
  subscript(site: String) -> Desk {
    desks.withLock { desks in
      if let desk = desks[site] { return desk }
      let desk = Desk(SiteDesk(name: site, patience: patience)) { [weak self] in
        self?.observer.withLock { $0 }()
      } holds: { [weak self] jobs in
        self?.holdings.withLock { $0 }(site, jobs)
      } makeRoom: { [weak self] missing in
        self?.makeRoom(missing)
      } answersUnderWay: { [weak self] job in
        self?.answersUnderWay(of: job) ?? 0
      }
      desks[site] = desk
      return desk
    }
  }

  /// Calls somebody whenever a site comes or goes.
  func whenSitesChange(_ observer: @escaping @Sendable () -> Void) {
    self.observer.withLock { $0 = observer }
  }

  /// Calls somebody when a site tells which jobs it keeps something of.
  func whenSitesHold(_ observer: @escaping @Sendable (_ site: String, _ jobs: [String]) -> Void) {
    holdings.withLock { $0 = observer }
  }

  /// Has those who take more room than is usual for answers give it back.
  private func makeRoom(_ missing: MissingRoom) {
    for desk in desks.withLock({ Array($0.values) }) { desk.handle(.roomIsWanted(missing)) }
  }

  /// How many answers to tasks of a job are under way.
  private func answersUnderWay(of job: String) -> Int {
    desks.withLock { Array($0.values) }.reduce(0) { $0 + $1.answersUnderWay(of: job) }
  }

  /// Ends all connections.
  func closeAll(because reason: String) {
    for desk in desks.withLock({ Array($0.values) }) { desk.close(because: reason) }
  }

  /// Closes the connections whose certificates are good no longer.
  func close(revokedBy list: RevocationList) {
    for desk in desks.withLock({ Array($0.values) }) { desk.close(revokedBy: list) }
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
    var observers: [TaskID: any TransferObserver] = [:]
    /// Grows with each connection: what an earlier one still says is no longer heard.
    var connection = 0
    /// The serial number of the certificate of the connection that is there.
    var serial: String?
    /// The other end of it, address and port.
    var peer: String?
    var outbox: AsyncThrowingStream<ServerMessage, any Error>.Continuation?
  }

  /// How many messages may wait for a site that does not read; it has one or two for each task.
  private static let largestOutbox = 4096

  private let state: Mutex<State>

  private let didChange: @Sendable () -> Void
  private let holds: @Sendable ([String]) -> Void
  private let makeRoom: @Sendable (MissingRoom) -> Void
  private let answersOfAll: @Sendable (_ job: String) -> Int

  init(
    _ machine: SiteDesk,
    didChange: @escaping @Sendable () -> Void,
    holds: @escaping @Sendable ([String]) -> Void,
    makeRoom: @escaping @Sendable (MissingRoom) -> Void,
    answersUnderWay: @escaping @Sendable (_ job: String) -> Int
  ) {
    state = Mutex(State(machine: machine))
    self.didChange = didChange
    self.holds = holds
    self.makeRoom = makeRoom
    answersOfAll = answersUnderWay
  }

  var isConnected: Bool { state.withLock { $0.machine.isConnected } }

  /// How many answers of the site to tasks of a job are under way.
  func answersUnderWay(of job: String) -> Int {
    state.withLock { $0.machine.answersUnderWay(of: job) }
  }

  /// The content of a task.
  func content(of id: TaskID) -> OutgoingParcel? { state.withLock { $0.machine.content(of: id) } }

  /// Gives the site a task.
  func assign(
    _ id: TaskID,
    _ task: AnnouncedTask,
    observer: (any TransferObserver)? = nil,
    report: @escaping @Sendable (SiteEvent) -> Void
  ) {
    state.withLock {
      $0.reports[id] = report
      $0.observers[id] = observer
    }
    handle(.assigned(id, task))
  }

  /// Takes a task back.
  func withdraw(_ id: TaskID, because reason: String) {
    state.withLock {
      $0.reports[id] = nil
      $0.observers[id] = nil
    }
    handle(.withdrawn(id, reason: reason))
  }

  /// A connection is there; an earlier one is told so, and closed.
  ///
  /// - Parameters:
  ///   - serial: The serial number of the certificate that the site has shown.
  ///   - peer: The other end, address and port.
  /// - Returns: The connection's number, and what is to be sent on it.
  func connect(
    serial: String,
    peer: String
  ) -> (number: Int, outbox: AsyncThrowingStream<ServerMessage, any Error>) {
    let (outbox, continuation) = AsyncThrowingStream<ServerMessage, any Error>.makeStream(
      bufferingPolicy: .bufferingOldest(Self.largestOutbox)
    )
    let number = state.withLock { state in
      state.outbox?.finish(throwing: ConnectionClosed.replaced)
      state.outbox = continuation
      (state.serial, state.peer) = (serial, peer)
      state.connection += 1
      return state.connection
    }
    handle(.connected)
    return (number, outbox)
  }

  /// Ends the connection, if there is one.
  func close(because reason: String) {
    state.withLock { $0.outbox?.finish(throwing: ConnectionClosed.violation(reason)) }
  }

  /// Closes the connection if its certificate is good no longer.
  func close(revokedBy list: RevocationList) {
    state.withLock { state in
      guard let entry = state.serial.flatMap(list.entry) else { return }
      state.outbox?.finish(throwing: ConnectionClosed.revoked(entry.reason))
      state.outbox = nil
    }
  }

  /// The connection is over.
  func disconnect(_ number: Int) {
    let isCurrent = state.withLock { state in
      guard state.connection == number else { return false }
      state.outbox = nil
      (state.serial, state.peer) = (nil, nil)
      return true
    }
    if isCurrent { handle(.disconnected) }
  }

  /// What the site says at a connection.
  func received(_ message: SiteMessage, at number: Int) {
    guard state.withLock({ $0.connection == number }) else { return }
    handle(.received(message))
  }

  /// A chunk of a task was sent, after which so many bytes of its content are at the site.
  func sent(_ bytes: Int, of total: Int, for id: TaskID) {
    let told = state.withLock { state -> (any TransferObserver, Site)? in
      guard let observer = state.observers[id], observer.wantsProgress,
        let site = state.machine.site(of: id)
      else { return nil }
      return (observer, site)
    }
    guard let (observer, site) = told else { return }
    observer.moved(
      TransferProgress(site: site.name, direction: .down, bytes: bytes, total: total),
      of: id
    )
  }

  /// A chunk of an answer has come from somebody with the site's certificate.
  ///
  /// What an earlier connection has left in buffers may belong to another answer, of a site that was killed meanwhile.
  func received(_ chunk: ReceivedChunk, of id: TaskID, from peer: String) {
    guard state.withLock({ $0.peer == peer }) else { return }
    handle(.chunk(id, chunk))
  }

  func handle(_ event: SiteDesk.Event) {
    var reports: [() -> Void] = []
    let hasChanged = state.withLock { state in
      let wasConnected = state.machine.isConnected
      for action in state.machine.handle(event) {
        switch action {
        case .send(let message):
          // Whoever does not read must not make the server keep more and more for it.
          guard case .dropped? = state.outbox?.yield(message) else { continue }
          state.outbox?.finish(throwing: ConnectionClosed.violation("it does not read"))
          state.outbox = nil
        case .close(let reason):
          state.outbox?.finish(throwing: ConnectionClosed.violation(reason))
          state.outbox = nil
        case .holds(let jobs): reports.append { self.holds(jobs) }
        case .reserve(let id, let parcel, let isUsual):
          // Outside of the lock: where the file system has no call for it, the system writes all of it.
          reports.append { self.reserve(parcel, for: id, isUsual: isUsual) }
        case .report(let id, let event):
          guard let report = state.reports[id] else { continue }
          if case .answered = event {
            state.reports[id] = nil
            state.observers[id] = nil
          }
          reports.append { report(event) }
        case .measured(let id, let site, let measurements):
          guard let observer = state.observers[id] else { continue }
          reports.append { observer.measured(measurements, of: id, from: site) }
        case .arrived(let id, let site, let parcel):
          guard let observer = state.observers[id] else { continue }
          reports.append { observer.didReceive(parcel, to: id, from: site) }
        }
      }
      if case .chunk(let id, _) = event, let observer = state.observers[id],
        observer.wantsProgress, let progress = state.machine.progress(of: id)
      {
        let (site, bytes, total) = progress
        reports.append {
          observer.moved(
            TransferProgress(site: site.name, direction: .up, bytes: bytes, total: total),
            of: id
          )
        }
      }
      return state.machine.isConnected != wasConnected
    }
    // Outside of the lock: a job may give the site its next task at once.
    for report in reports { report() }
    if hasChanged { didChange() }
  }

  /// Takes room for an answer; what others have taken beyond what is usual is given back for one that is as usual.
  private func reserve(_ parcel: IncomingParcel, for id: TaskID, isUsual: Bool) {
    func attempt() -> Result<IncomingParcel, any Error> {
      Result {
        var reserved = parcel
        try reserved.reserve()
        return reserved
      }
    }
    var result = attempt()
    if isUsual, case .failure(let error as MissingRoom) = result {
      makeRoom(error)
      result = attempt()
    }
    if case .failure(var missing as MissingRoom) = result {
      missing.count = answersOfAll(id.job) + 1
      result = .failure(missing)
    }
    handle(.reserved(id, parcel.parcel, result))
  }
}

/// Why the server closes a site's connection.
enum ConnectionClosed: Error, CustomStringConvertible {
  /// The site has opened another one.
  case replaced
  /// Its certificate was revoked.
  case revoked(String)
  /// The site does not keep to the protocol.
  case violation(String)

  var description: String {
    switch self {
    case .replaced: "another connection was opened with the same certificate"
    case .revoked(let reason): "its certificate was revoked: \(reason)"
    case .violation(let reason): reason
    }
  }
}
