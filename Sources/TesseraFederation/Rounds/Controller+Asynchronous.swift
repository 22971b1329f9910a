internal import Synchronization
internal import TesseraCore

/// One task for several sites that work at it each for itself.
public struct Dispatch: Sendable {
  /// A site at work.
  public struct Flight: Sendable, Hashable {
    /// Names the task among all of the run, and seeds what the site draws: a repetition under the same number draws the same.
    public var number: Int
    /// Who is at work.
    public var site: Site

    /// A task of that number at a site.
    public init(number: Int, site: Site) {
      self.number = number
      self.site = site
    }
  }

  /// What is to be done.
  public var task: TaskName
  /// What to do it with.
  public var data: Exchange
  /// The round that sites are told.
  public var round: Int
  /// Who does it.
  public var flights: [Flight]

  /// A task for several sites.
  public init(_ data: Exchange, for task: TaskName = .train, round: Int, flights: [Flight]) {
    self.task = task
    self.data = data
    self.round = round
    self.flights = flights
  }
}

/// A task that a site is done with.
public struct ReturnedTask: Sendable {
  /// The task's number.
  public var number: Int
  /// Who was at work.
  public var site: Site
  /// The answer, or `nil` if there is no usable one, which has then been noted.
  public var exchange: Exchange?
  var step: Int
  var traffic = Traffic()
  var refusal: Refusal?
}

extension Controller {
  /// Sends tasks and goes on at once; what comes of them is had by ``nextAnswer()``, in this round or a later one.
  ///
  /// Tasks live as long as the run: those that are under way when its process ends are gone, and a workflow sends them again.
  /// So it keeps their numbers in its state, and asks for ``tasksUnderWay``.
  ///
  ///     try controller.dispatch([Dispatch(data, round: 1, flights: [.init(number: 7, site: site)])])
  ///     while let task = try await controller.nextAnswer() {
  ///       guard let answer = task.exchange else { continue }
  ///       try controller.accept(task, weight: 1)
  ///     }
  ///
  /// The federation's filters, limits and patience apply. Who answers is not journaled before the workflow accepts or refuses
  /// it.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/badTask`` if a site is at work already; what filters throw.
  public func dispatch(_ dispatches: [Dispatch]) throws {
    for dispatch in dispatches { try requireNoBudget(for: dispatch.task) }
    let generation = try flights.add(dispatches.flatMap(\.flights))
    var sendings: [Sending] = []
    for dispatch in dispatches where !dispatch.flights.isEmpty {
      let key = federation.key[dispatch.task.description]["dispatched"]
      let numbers = dispatch.flights.map { ($0.site.index, $0.number) }
      let bySite = Dictionary(numbers) { first, _ in first }
      let sending = try prepare(
        dispatch.task,
        dispatch.data,
        round: dispatch.round,
        key: key["tasks"][dispatch.flights.first?.number ?? 0],
        for: dispatch.flights.map(\.site),
        isDispatched: true
      ) { key[bySite[$0.index] ?? 0] }
      // Until they are accepted; then the round's state tells a process that goes on what has to be done again.
      record.withLock { record in
        for flight in dispatch.flights { record.note(sending.step, of: flight.site, isUsed: false) }
      }
      try journal(
        .taskOpened(
          step: sending.step,
          task: dispatch.task,
          round: round,
          sites: dispatch.flights.count
        )
      )
      observe(.asked(dispatch.task, round: round, sites: dispatch.flights.count))
      sendings.append(sending)
    }
    guard !sendings.isEmpty else { return }
    let sites = dispatches.flatMap { $0.flights.map(\.site) }
    let steps = Dictionary(
      sendings.flatMap { sending in sending.tasks.map { ($0.site.index, sending.step) } }
    ) { first, _ in first }
    let numbers = Dictionary(
      dispatches.flatMap { $0.flights.map { ($0.site.index, $0.number) } }
    ) { first, _ in first }
    let quorum = Quorum(minimum: 0, patience: self.quorum.patience)
    let flights = flights
    @Sendable func land(_ site: Int, _ received: Received?, _ refusal: Refusal?) {
      guard let step = steps[site], let number = numbers[site] else { return }
      flights.land(
        ReturnedTask(
          number: number,
          site: self.sites[site],
          exchange: received?.answer,
          step: step,
          traffic: received?.traffic ?? Traffic(),
          refusal: refusal
        ),
        of: generation
      )
    }
    flights.start { [sendings] in
      // Fails only if the run is over.
      _ = try? await self.exchange(sendings, with: sites, quorum: quorum, into: NoSink()) {
        contribution,
        _,
        received in
        land(contribution.index, received, nil)
      } refused: { refusal in
        land(refusal.index, nil, refusal)
      }
    }
  }

  /// The numbers of the tasks that were dispatched by this process and not handed over yet.
  public var tasksUnderWay: Set<Int> { flights.numbers }

  /// Tells all dispatched tasks to stop; nothing comes of them.
  public func abandonTasks() { flights.abandon() }

  /// Waits for the dispatched task that is done next.
  ///
  /// - Returns: It, or `nil` if none is under way.
  /// - Throws: `CancellationError` if the run was stopped.
  public func nextAnswer() async throws -> ReturnedTask? {
    guard let task = try await flights.next() else { return nil }
    try Task.checkCancellation()
    if let refusal = task.refusal { try refuse(task, because: refusal.reason) }
    return task
  }

  /// Notes that a dispatched task's answer is used.
  ///
  /// - Throws: What the journal throws.
  public func accept(_ task: ReturnedTask, weight: Double) throws {
    guard let exchange = task.exchange else { return }
    let contribution = Contribution(
      site: task.site,
      weight: weight,
      metrics: exchange.metrics.filter(\.value.isFinite)
    )
    try journal(.answerAccepted(step: task.step, contribution))
    let answers = record.withLock { record in
      record.dispatched.append(
        .init(step: task.step, site: task.site.index, contribution: contribution)
      )
      record.traffic += task.traffic
      record.note(task.step, of: task.site, isUsed: true)
      return record.dispatched.count { $0.contribution != nil }
    }
    observe(.answered(task.site, answers: answers))
  }

  /// Notes that a dispatched task's answer is not used.
  ///
  /// - Parameters:
  ///   - task: The task.
  ///   - reason: Why not.
  /// - Throws: What the journal throws.
  public func refuse(_ task: ReturnedTask, because reason: String) throws {
    try refuse(task.site, step: task.step, because: reason)
  }

  func refuse(_ site: Site, step: Int, because reason: String) throws {
    let named = reason.hasPrefix(site.name) ? reason : "\(site.name): \(reason)"
    let refusal = Refusal(site: site, reason: named)
    try journal(.answerRefused(step: step, refusal))
    record.withLock { $0.dispatched.append(.init(step: step, site: site.index, refusal: refusal)) }
    observe(.refused(refusal))
  }
}

/// Keeps nothing.
private struct NoSink: AnswerSink {
  mutating func take(_ answer: Exchange, from site: Site) throws -> Double {
    answer.claimedWeight(of: site)
  }
}
