/// A site's side: the tasks that it was given, how far it is with each, and what it has to send.
///
/// A pure state machine, as ``SiteDesk`` is for the other side. A site works on while it is not connected, and keeps an answer
/// until it has the server's receipt.
public struct SiteDuties: Sendable {
  /// What happens.
  public enum Event: Sendable {
    /// A connection is there, on which the site introduces itself; it counts once the server has bidden welcome.
    case connected
    /// The connection is lost.
    case disconnected
    /// The server says something.
    case received(ServerMessage)
    /// A chunk of a task arrives.
    case chunk(TaskID, ReceivedChunk)
    /// The work at a task goes on.
    case progressed(TaskID)
    /// The work at a task goes on, and something was measured.
    case measured(TaskID, TaskMeasurements)
    /// The work at a task is done.
    case finished(TaskID, Result<OutgoingParcel, FederationError>)
  }

  /// What is to be done.
  public enum Action: Sendable {
    /// Tell the server.
    case send(SiteMessage)
    /// Tell the server that there is an answer.
    case announce(TaskID, OutgoingParcel)
    /// Fetch chunks of a task.
    case fetch(TaskID, [Int])
    /// Send chunks of an answer.
    case deliver(TaskID, OutgoingParcel, [Int])
    /// Begin work.
    case start(TaskID, SiteTask)
    /// End work that nobody waits for.
    case cancel(TaskID)
    /// The server has taken the answer to a task.
    case settle(TaskID)
    /// Forget all of a job; somebody has ended it before its time, or it has come to its end.
    case forget(job: String, isAborted: Bool)
    /// Close the connection: the server does not keep to the protocol.
    case close(reason: String)
  }

  /// What decides about the answer to a task, of what may be asked for again under the same number.
  private struct Origin: Hashable {
    var parcel: Parcel
    /// From which of its memories the site answers.
    var unusedSince: Int?
  }

  private enum Stage {
    /// Its content has not come whole.
    case fetching(AnnouncedTask, IncomingParcel)
    /// The executor has it: so many bytes.
    case working(Origin, bytes: Int)
    /// There is an answer, or a reason why there is none.
    case done(Origin, Result<OutgoingParcel, FederationError>)

    var origin: Origin {
      switch self {
      case .fetching(let task, let incoming):
        Origin(parcel: incoming.parcel, unusedSince: task.unusedSince)
      case .working(let origin, _), .done(let origin, _): origin
      }
    }

    /// How many bytes it keeps of what was sent.
    var bytes: Int {
      switch self {
      case .fetching(_, let incoming): incoming.byteCount
      case .working(_, let bytes): bytes
      case .done: 0
      }
    }
  }

  private var stages: [TaskID: Stage] = [:]
  private var isConnected = false
  /// After which time without a sign of life the server is given up.
  public private(set) var patience: Duration?

  /// How many bytes the contents of all tasks may have that are not done.
  private let largestContent: Int

  /// Without tasks, not connected.
  ///
  /// - Parameter largestContent: How many bytes the contents of all tasks may have together that are not done.
  public init(largestContent: Int = .max) { self.largestContent = largestContent }

  /// The tasks that the site has, for its greeting.
  public var open: [TaskID] { stages.keys.sorted { ($0.job, $0.step) < ($1.job, $1.step) } }

  /// Takes an event, and says what follows from it.
  public mutating func handle(_ event: Event) -> [Action] {
    switch event {
    // What is done now is told once, after the greeting.
    case .connected: return []
    case .disconnected:
      isConnected = false
      return []
    case .received(let message): return received(message)
    case .chunk(let id, let chunk): return took(chunk, of: id)
    case .progressed(let id):
      guard isConnected, case .working = stages[id] else { return [] }
      return [.send(.progress(id))]
    case .measured(let id, let measurements):
      guard isConnected, case .working = stages[id] else { return [] }
      return [.send(.measured(id, measurements))]
    case .finished(let id, let result):
      guard case .working(let origin, _) = stages[id] else { return [] }
      stages[id] = .done(origin, result)
      return isConnected ? [tell(id, result)] : []
    }
  }

  private func tell(_ id: TaskID, _ result: Result<OutgoingParcel, FederationError>) -> Action {
    switch result {
    case .success(let parcel): .announce(id, parcel)
    case .failure(let error): .send(.failure(id, error))
    }
  }

  private mutating func received(_ message: ServerMessage) -> [Action] {
    switch message {
    case .welcome(let patience):
      self.patience = patience
      isConnected = true
      // What was under way when the connection broke.
      return open.compactMap { id in
        switch stages[id] {
        case .fetching(_, let incoming): .fetch(id, incoming.missing)
        case .done(_, let result): tell(id, result)
        case .working, nil: nil
        }
      }
    case .task(let id, let task): return assigned(id, task)
    case .withdrawal(let id, _):
      defer { stages[id] = nil }
      if case .working = stages[id] { return [.cancel(id)] }
      return []
    case .wanted(let id, let chunks):
      guard case .done(_, .success(let parcel)) = stages[id] else { return [] }
      guard chunks.allSatisfy(parcel.parcel.digests.indices.contains) else {
        return [.close(reason: "the server wants chunks of \(id) that do not exist")]
      }
      return [.deliver(id, parcel, chunks)]
    case .receipt(let id):
      guard case .done = stages[id] else { return [] }
      stages[id] = nil
      return [.settle(id)]
    case .farewell(let job, let isAborted):
      let working = open.filter { id in
        guard id.job == job, case .working = stages[id] else { return false }
        return true
      }
      stages = stages.filter { $0.key.job != job }
      return working.map { .cancel($0) } + [.forget(job: job, isAborted: isAborted)]
    }
  }

  private mutating func assigned(_ id: TaskID, _ task: AnnouncedTask) -> [Action] {
    var incoming: IncomingParcel
    switch task.content {
    case .incoming(let announced): incoming = announced
    // Closing the connection would bring it again, for ever.
    case .unusable(let error): return [.send(.failure(id, error))]
    case .outgoing: return []
    }
    var actions: [Action] = []
    if let stage = stages[id] {
      // A server that was killed asks again. If it is the same, the work that was done stands, and in any case what has come.
      if case .fetching(_, let kept) = stage, kept.parcel == incoming.parcel {
        stages[id] = .fetching(task, kept)
        return [.fetch(id, kept.missing)]
      }
      guard stage.origin != Origin(parcel: incoming.parcel, unusedSince: task.unusedSince) else {
        switch stage {
        case .fetching: return []
        case .working: return [.send(.progress(id))]
        case .done(_, let result): return [tell(id, result)]
        }
      }
      if case .working = stage { actions.append(.cancel(id)) }
    }
    stages[id] = nil
    // A server that was killed had got further: what it asked then is asked again, after this.
    for later in stages.keys
    where later.job == id.job && later.step > id.step && id.job != TaskID.noJob {
      if case .working = stages[later] { actions.append(.cancel(later)) }
      stages[later] = nil
    }
    let kept = stages.values.reduce(0) { $0 + $1.bytes }
    guard incoming.byteCount <= largestContent - kept else {
      let error = FederationError(
        code: .limitExceeded,
        message: """
          the task '\(task.name)' of job \(id.job) for \(task.site.name) has \(incoming.byteCount) bytes, beside \(kept) of others; \
          the limit is \(largestContent), by the memory that the site gives to jobs
          """
      )
      return actions + [.send(.failure(id, error))]
    }
    guard incoming.isComplete else {
      // Before anything of it is asked for.
      do { try incoming.reserve() } catch {
        let error = FederationError(
          code: .limitExceeded,
          message: """
            the task '\(task.name)' of job \(id.job) has no room at \(task.site.name): \(error)
            """
        )
        return actions + [.send(.failure(id, error))]
      }
      stages[id] = .fetching(task, incoming)
      return actions + [.fetch(id, incoming.missing)]
    }
    return actions + begin(id, task, incoming)
  }

  private mutating func took(_ chunk: ReceivedChunk, of id: TaskID) -> [Action] {
    guard case .fetching(let task, var incoming) = stages[id] else { return [] }
    // The only owner of what has come, so that it is not copied.
    stages[id] = nil
    defer { if stages[id] == nil { stages[id] = .fetching(task, incoming) } }
    do { try incoming.take(chunk) } catch let error as FederationError {
      return [.close(reason: "task \(id): \(error)")]
    } catch {
      let origin = Origin(parcel: incoming.parcel, unusedSince: task.unusedSince)
      return failed(id, origin, "there is no room for its content: \(error)")
    }
    return incoming.isComplete ? begin(id, task, incoming) : []
  }

  private mutating func begin(
    _ id: TaskID,
    _ task: AnnouncedTask,
    _ incoming: IncomingParcel
  ) -> [Action] {
    let origin = Origin(parcel: incoming.parcel, unusedSince: task.unusedSince)
    do {
      let exchange = try incoming.exchange()
      stages[id] = .working(origin, bytes: incoming.byteCount)
      var arrived = SiteTask(
        step: id.step,
        name: task.name,
        round: task.round,
        site: task.site,
        data: exchange,
        key: task.key
      )
      arrived.digest = incoming.parcel.digest
      arrived.unusedSince = task.unusedSince
      return [.start(id, arrived)]
    } catch {
      return failed(
        id,
        origin,
        (error as? FederationError)?.message ?? "its content cannot be a model"
      )
    }
  }

  private mutating func failed(_ id: TaskID, _ origin: Origin, _ reason: String) -> [Action] {
    let error = FederationError(code: .protocolViolation, message: reason)
    stages[id] = .done(origin, .failure(error))
    return isConnected ? [.send(.failure(id, error))] : []
  }
}
