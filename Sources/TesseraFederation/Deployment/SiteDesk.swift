/// A server's side of one site: the tasks that it was given, and what has come of them.
///
/// A pure state machine: no clock, no connection, so each way in which a connection can break is a test of a few lines. A task is
/// there until its answer was taken or nobody waits for it; connections come and go meanwhile, and what had arrived stays.
public struct SiteDesk: Sendable {
  /// What happens.
  public enum Event: Sendable {
    /// A job gives the site a task.
    case assigned(TaskID, AnnouncedTask)
    /// A job does not wait for an answer any longer.
    case withdrawn(TaskID, reason: String)
    /// A job is over; somebody has ended it before its time, or it has come to its end.
    case ended(job: String, isAborted: Bool)
    /// The site is to do nothing more of what it was given.
    case removed(reason: String)
    /// The site has opened a connection; what it had before, if anything, is closed.
    case connected
    /// The connection is lost.
    case disconnected
    /// The site says something.
    case received(SiteMessage)
    /// A chunk of an answer arrives.
    case chunk(TaskID, ReceivedChunk)
    /// Room was taken for an answer that was announced, or there was none.
    case reserved(TaskID, Parcel, Result<IncomingParcel, any Error>)
    /// There is no room for a usual answer of a job: whoever has taken more than is usual gives it back.
    case roomIsWanted(MissingRoom)
  }

  /// What is to be done.
  public enum Action: Sendable {
    /// Tell the site.
    case send(ServerMessage)
    /// An answer has come whole; it is reported next.
    case arrived(TaskID, Site, Parcel)
    /// The site keeps something of these jobs: it is to be told which of them are over.
    case holds([String])
    /// A site at work has measured something.
    case measured(TaskID, Site, TaskMeasurements)
    /// Tell the job.
    case report(TaskID, SiteEvent)
    /// Take room for an answer, which may take the system a while; what comes of it is told by ``Event/reserved(_:_:_:)``. Before there
    /// is said to be none for one that is as usual, others are told by ``Event/roomIsWanted(_:)``.
    case reserve(TaskID, IncomingParcel, isUsual: Bool)
    /// Close the connection: the site does not keep to the protocol.
    case close(reason: String)
  }

  private struct Assignment {
    var task: AnnouncedTask
    /// Whether the site of this connection has the task.
    var isKnown = false
    /// The answer, as far as it has come.
    var answer: IncomingParcel?
    /// The answer for which room is being taken.
    var announced: Parcel?
    /// How many different answers were announced, over all connections.
    var announcements = 0
  }

  /// How many different answers to a task may be announced.
  ///
  /// A site that was killed does its work again, with what it draws anew. A connection that ends does not begin to count anew, as each
  /// announcement may take room on the disk.
  private static let largestAnnouncements = 64

  /// The site's name, for messages.
  public let name: String
  private let patience: Duration
  private var assignments: [TaskID: Assignment] = [:]
  /// The jobs whose end the site has not been told, and whether they were aborted.
  private var ended: [String: Bool] = [:]
  /// Whether there is a connection, and whether the site has introduced itself on it.
  private enum Connection { case none, opened, greeted }
  private var connection = Connection.none

  /// A site without tasks, not connected.
  ///
  /// - Parameters:
  ///   - name: The site's.
  ///   - patience: After which time without a sign of life each side gives up the other.
  public init(name: String, patience: Duration) {
    self.name = name
    self.patience = patience
  }

  /// Whether the site is there.
  public var isConnected: Bool { connection == .greeted }

  /// The content of a task, for the site that fetches it.
  public func content(of id: TaskID) -> OutgoingParcel? {
    guard case .outgoing(let parcel) = assignments[id]?.task.content else { return nil }
    return parcel
  }

  /// How much of the answer to a task is there, and who answers; `nil` if none was announced.
  public func progress(of id: TaskID) -> (site: Site, bytes: Int, total: Int)? {
    guard let assignment = assignments[id], let answer = assignment.answer else { return nil }
    return (assignment.task.site, answer.receivedBytes, answer.byteCount)
  }

  /// The site of a task, as its job knows it.
  public func site(of id: TaskID) -> Site? { assignments[id]?.task.site }

  /// Takes an event, and says what follows from it.
  public mutating func handle(_ event: Event) -> [Action] {
    switch event {
    case .assigned(let id, let task):
      assignments[id] = Assignment(task: task, isKnown: connection == .greeted)
      return connection == .greeted ? [.send(.task(id, task))] : []
    case .withdrawn(let id, let reason):
      guard assignments.removeValue(forKey: id) != nil else { return [] }
      return connection == .greeted ? [.send(.withdrawal(id, reason: reason))] : []
    case .ended(let job, let isAborted):
      assignments = assignments.filter { $0.key.job != job }
      guard connection == .greeted else {
        ended[job] = isAborted
        return []
      }
      return [.send(.farewell(job: job, isAborted: isAborted))]
    case .removed(let reason):
      let error = FederationError(code: .rejectedUpdate, message: reason)
      let given = assignments.sorted { ($0.key.job, $0.key.step) < ($1.key.job, $1.key.step) }
      assignments = [:]
      let failures = given.map {
        Action.report($0.key, .answered($0.value.task.site, .failure(error)))
      }
      return failures + (connection == .none ? [] : [.close(reason: reason)])
    case .connected:
      connection = .opened
      for id in assignments.keys {
        assignments[id]?.isKnown = false
      }
      return []
    case .disconnected:
      connection = .none
      return []
    case .received(.greeting(let open, let jobs)): return greeted(open, jobs)
    case .received(let message):
      guard connection == .greeted else {
        return [.close(reason: "\(name): it has not introduced itself")]
      }
      return received(message)
    case .chunk(let id, let chunk): return took(chunk, of: id)
    case .reserved(let id, let parcel, let result): return reserved(id, parcel, result)
    case .roomIsWanted(let missing): return giveBack(missing)
    }
  }

  /// How many answers to tasks of a job are under way.
  public func answersUnderWay(of job: String) -> Int {
    assignments.count { $0.key.job == job && $0.value.answer != nil }
  }

  private mutating func greeted(_ open: [TaskID], _ jobs: [String]) -> [Action] {
    guard connection == .opened else {
      return [.close(reason: "\(name): it introduces itself twice")]
    }
    connection = .greeted
    var actions = [Action.send(.welcome(patience: patience))]
    for (job, isAborted) in ended.sorted(by: { $0.key < $1.key }) {
      actions.append(.send(.farewell(job: job, isAborted: isAborted)))
    }
    // A farewell may have gone with a connection that was dying: who knows what is over says it again.
    let held = jobs.filter { ended[$0] == nil }
    if !held.isEmpty { actions.append(.holds(held)) }
    ended = [:]
    for id in open { assignments[id]?.isKnown = true }
    for (id, assignment) in assignments.sorted(by: {
      ($0.key.job, $0.key.step) < ($1.key.job, $1.key.step)
    })
    where !assignment.isKnown {
      assignments[id]?.isKnown = true
      actions.append(.send(.task(id, assignment.task)))
    }
    return actions
  }

  private mutating func received(_ message: SiteMessage) -> [Action] {
    switch message {
    case .greeting: return []
    case .progress(let id):
      guard let assignment = assignments[id] else { return [] }
      return [.report(id, .progressed(assignment.task.site))]
    case .measured(let id, let measurements):
      guard let assignment = assignments[id] else { return [] }
      let site = assignment.task.site
      return [.report(id, .progressed(site)), .measured(id, site, measurements)]
    case .failure(let id, let error):
      guard let assignment = assignments.removeValue(forKey: id) else {
        return [.send(.receipt(id))]
      }
      return [
        .send(.receipt(id)), .report(id, .answered(assignment.task.site, .failure(error))),
      ]
    case .answer(let id, let parcel):
      // Taken before, or withdrawn: either way the site need not keep it.
      guard let assignment = assignments[id] else { return [.send(.receipt(id))] }
      if let limit = assignment.task.largestAnswer, parcel.byteCount > limit {
        assignments[id] = nil
        let error = FederationError(
          code: .limitExceeded,
          message: """
            the answer of \(name) to the task '\(assignment.task.name)' of job \(id.job) has \(parcel.byteCount) bytes; the limit is \
            \(limit), by the job's model
            """
        )
        return [
          .send(.receipt(id)), .report(id, .answered(assignment.task.site, .failure(error))),
        ]
      }
      if assignment.announced == parcel.parcel {
        return [.report(id, .progressed(assignment.task.site))]
      }
      if assignment.answer?.parcel != parcel.parcel {
        guard assignment.announcements < Self.largestAnnouncements else {
          return fail(
            id,
            FederationError(
              code: .protocolViolation,
              message:
                "\(name) announces ever other answers to the task '\(assignment.task.name)' of job \(id.job)"
            )
          )
        }
        assignments[id]?.announcements += 1
        if parcel.needsRoom {
          assignments[id]?.answer = nil
          assignments[id]?.announced = parcel.parcel
          let isUsual = parcel.byteCount <= assignment.task.usualAnswer ?? .max
          return [
            .report(id, .progressed(assignment.task.site)),
            .reserve(id, parcel, isUsual: isUsual),
          ]
        }
        assignments[id]?.announced = nil
        assignments[id]?.answer = parcel
      }
      return wanted(id)
    }
  }

  /// Asks for what is missing of an answer.
  private mutating func wanted(_ id: TaskID) -> [Action] {
    guard let assignment = assignments[id] else { return [] }
    let missing = assignment.answer?.missing ?? []
    guard missing.isEmpty else {
      return [.report(id, .progressed(assignment.task.site)), .send(.wanted(id, missing))]
    }
    return finish(id)
  }

  private mutating func reserved(
    _ id: TaskID,
    _ parcel: Parcel,
    _ result: Result<IncomingParcel, any Error>
  ) -> [Action] {
    // Withdrawn meanwhile, or another one was announced.
    guard let assignment = assignments[id], assignment.announced == parcel else { return [] }
    assignments[id]?.announced = nil
    switch result {
    case .success(let answer):
      assignments[id]?.answer = answer
      return wanted(id)
    case .failure(let error):
      return fail(id, withoutRoom(for: assignment.task, of: id.job, error))
    }
  }

  /// Ends what takes more room than is usual, of whichever job, where the room is wanted for what is usual.
  private mutating func giveBack(_ missing: MissingRoom) -> [Action] {
    var actions: [Action] = []
    for (id, assignment) in assignments.sorted(by: {
      ($0.key.job, $0.key.step) < ($1.key.job, $1.key.step)
    }) {
      guard let answer = assignment.answer, let usual = assignment.task.usualAnswer,
        answer.byteCount > usual
      else { continue }
      actions += fail(id, unusual(assignment.task, id.job, answer.byteCount, usual, missing))
    }
    return actions
  }

  private mutating func fail(_ id: TaskID, _ error: any Error) -> [Action] {
    guard let assignment = assignments.removeValue(forKey: id) else { return [] }
    return [
      .send(.receipt(id)), .report(id, .answered(assignment.task.site, .failure(error))),
    ]
  }

  /// Whose fault it is that there is no room for an answer: the site's, if it is larger than answers are.
  ///
  /// Others say by theirs whether there is room for what is usual.
  private func withoutRoom(
    for task: AnnouncedTask,
    of job: String,
    _ error: any Error
  ) -> any Error {
    guard var missing = error as? MissingRoom, let usual = task.usualAnswer else { return error }
    missing.usual = usual
    guard missing.bytes > usual else { return missing }
    return unusual(task, job, missing.bytes, usual, missing)
  }

  private func unusual(
    _ task: AnnouncedTask,
    _ job: String,
    _ bytes: Int,
    _ usual: Int,
    _ missing: MissingRoom
  ) -> FederationError {
    FederationError(
      code: .limitExceeded,
      message: """
        the answer of \(name) to the task '\(task.name)' of job \(job) has \(bytes) bytes, of which \(usual) are usual, by the \
        job's model: \(missing)
        """
    )
  }

  private mutating func took(_ chunk: ReceivedChunk, of id: TaskID) -> [Action] {
    // What is on its way when a task is withdrawn arrives in vain.
    // No copy of the answer is held meanwhile: the list of what has come would be copied for each chunk.
    guard assignments[id]?.answer != nil, let site = assignments[id]?.task.site else { return [] }
    do {
      try assignments[id]?.answer?.take(chunk)
    } catch {
      // Its bytes are not those that it announced, or cannot be written: asking again would not help.
      assignments[id] = nil
      return [.send(.receipt(id)), .report(id, .answered(site, .failure(error)))]
    }
    guard assignments[id]?.answer?.isComplete == true else {
      return [.report(id, .progressed(site))]
    }
    return finish(id)
  }

  private mutating func finish(_ id: TaskID) -> [Action] {
    guard let assignment = assignments.removeValue(forKey: id), let answer = assignment.answer
    else { return [] }
    let result: Result<Exchange, any Error> = Result { try answer.exchange() }
    return [
      .arrived(id, assignment.task.site, answer.parcel), .send(.receipt(id)),
      .report(id, .answered(assignment.task.site, result)),
    ]
  }
}
