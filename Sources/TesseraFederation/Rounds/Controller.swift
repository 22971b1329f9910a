internal import Synchronization
public import TesseraCore

/// What a workflow has in its hands during one round: the sites, and the ways to ask them.
///
/// Each way sends the same task to one or several sites, by the federation's filters, quorum and limits, and journals what
/// comes of it. A workflow calls them one after the other, so that a round that is repeated asks the same.
public final class Controller: Sendable {
  /// The round, from 1.
  public let round: Int
  /// How many rounds there are at most.
  public let rounds: Int
  /// All sites, at their indices.
  public let sites: [Site]
  /// Which answers a task needs, unless a call says otherwise.
  public let quorum: Quorum
  let federation: Federation
  let observe: @Sendable (FederationEvent) -> Void
  let journal: @Sendable (JournalEvent) throws -> Void
  let background: AsyncStream<@Sendable () async -> Void>.Continuation
  private let record: Mutex<Record>

  struct Record {
    var step: Int
    var contributions: [Contribution] = []
    var refusals: [Refusal] = []
    var traffic = Traffic()
    var journalFailure: (any Error)?
  }

  init(
    round: Int,
    rounds: Int,
    step: Int,
    federation: Federation,
    observe: @escaping @Sendable (FederationEvent) -> Void,
    journal: @escaping @Sendable (JournalEvent) throws -> Void,
    background: AsyncStream<@Sendable () async -> Void>.Continuation
  ) {
    self.round = round
    self.rounds = rounds
    sites = federation.transport.sites
    quorum = federation.quorum
    self.federation = federation
    self.observe = observe
    self.journal = journal
    self.background = background
    record = Mutex(Record(step: step))
  }

  /// Seeds what a workflow draws in this round.
  public var key: RandomKey { federation.key["workflow"][round] }

  /// Sends a task to sites and folds their answers as they arrive: scatter and gather.
  ///
  /// - Parameters:
  ///   - task: What is to be done.
  ///   - data: What to do it with.
  ///   - sites: Who is asked.
  ///   - rule: How the updates become one.
  ///   - reference: The model that updates are changes of; the tensors of `data` if `nil`.
  ///   - quorum: Which answers are needed; the federation's quorum if `nil`.
  /// - Returns: The aggregate, and who is in it.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/tooFewSites`` if there are too few usable answers;
  ///   `CancellationError` if the run was stopped.
  public func gather(
    _ task: TaskName = .train,
    _ data: Exchange,
    from sites: [Site],
    by rule: any AggregationRule = WeightedMean(),
    reference: ModelState? = nil,
    quorum: Quorum? = nil
  ) async throws -> Aggregate {
    let part = AggregatedPart(reference: reference ?? data.tensors, rule: rule)
    return try await gather(
      task,
      data,
      from: sites,
      parts: [Aggregate.modelPart: part],
      quorum: quorum
    )
  }

  /// Sends a task to sites and folds each part of their answers for itself.
  ///
  /// - Parameters:
  ///   - task: What is to be done.
  ///   - data: What to do it with.
  ///   - sites: Who is asked.
  ///   - parts: The parts that each answer must have, by name.
  ///   - quorum: Which answers are needed; the federation's quorum if `nil`.
  /// - Returns: The aggregate of each part, and who is in it.
  /// - Throws: As ``gather(_:_:from:by:reference:quorum:)``.
  public func gather(
    _ task: TaskName = .train,
    _ data: Exchange,
    from sites: [Site],
    parts: [String: AggregatedPart],
    quorum: Quorum? = nil
  ) async throws -> Aggregate {
    let fold = try AnswerFold(encrypted(parts), sites: sites)
    var outcome = try await ask(task, data, sites, quorum: quorum ?? self.quorum, into: fold)
    return Aggregate(
      parts: try outcome.sink.results(),
      contributions: outcome.contributions,
      refusals: outcome.refusals
    )
  }

  /// The parts, with sums of ciphertexts where the sites encrypt.
  private func encrypted(_ parts: [String: AggregatedPart]) throws -> [String: AggregatedPart] {
    guard let context = federation.encryption else { return parts }
    return try parts.mapValues { part in
      guard part.rule is WeightedMean || part.rule is EncryptedMean else {
        throw FederationError(
          code: .invalidConfiguration,
          message: "of encrypted updates there are weighted means alone, not \(type(of: part.rule))"
        )
      }
      return AggregatedPart(reference: part.reference, rule: EncryptedMean(context: context))
    }
  }

  /// Sends a task to sites and waits for their answers: broadcast and wait.
  ///
  /// All answers are in memory at once.
  ///
  /// - Returns: The usable answers, in the order of the sites.
  /// - Throws: As ``gather(_:_:from:by:reference:quorum:)``.
  public func collect(
    _ task: TaskName,
    _ data: Exchange,
    from sites: [Site],
    quorum: Quorum? = nil
  ) async throws -> [Answer] {
    let outcome = try await ask(
      task,
      data,
      sites,
      quorum: quorum ?? self.quorum,
      into: AnswerList()
    )
    return outcome.sink.answers.sorted { $0.site.index < $1.site.index }
  }

  /// Sends a task to one site and waits for its answer.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/tooFewSites`` if it gives no usable one.
  public func send(_ task: TaskName, _ data: Exchange, to site: Site) async throws -> Exchange {
    var quorum = quorum
    quorum.minimum = 1
    quorum.mandatory = []
    let answers = try await collect(task, data, from: [site], quorum: quorum)
    guard let answer = answers.first else {
      throw FederationError(code: .tooFewSites, message: "\(site.name) gave no usable answer")
    }
    return answer.exchange
  }

  /// Sends a task to sites one after the other, each with what the one before it answered.
  ///
  /// A site that gives no usable answer is passed over.
  ///
  /// - Parameters:
  ///   - task: What is to be done.
  ///   - data: What the first site does it with.
  ///   - sites: Who is asked, in this order.
  ///   - quorum: How many must answer, and who; the federation's quorum if `nil`.
  /// - Returns: What the last site answered.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/tooFewSites`` if too few did.
  public func relay(
    _ task: TaskName = .train,
    _ data: Exchange,
    through sites: [Site],
    quorum: Quorum? = nil
  ) async throws -> Exchange {
    let quorum = quorum ?? self.quorum
    var (current, done) = (data, 0)
    for site in sites {
      do {
        let answer = try await send(task, current, to: site)
        current = answer.kind == .weightDifference ? try current.adding(answer) : answer
        done += 1
      } catch let error as FederationError where error.code == .tooFewSites {
        guard !quorum.mandatory.contains(site.name) else { throw error }
      }
    }
    guard done >= min(quorum.minimum, sites.count) else {
      throw FederationError(
        code: .tooFewSites,
        message: "\(done) of \(sites.count) sites passed the model on, \(quorum.minimum) are needed"
      )
    }
    return current
  }

  /// Sends a task to sites without waiting for what they answer.
  ///
  /// The workflow goes on at once; what the sites answer is noted among the round's events, and used by no one. The run does
  /// not end before they have.
  public func broadcast(_ task: TaskName, _ data: Exchange, to sites: [Site]) throws {
    let tasks = try tasks(task, data, sites)
    let transport = federation.transport
    let observe = observe
    background.yield {
      await transport.ask(tasks) { event in
        guard case .answered(let site, let result) = event else { return }
        observe(.notified(site, error: result.failure.map { "\(site.name): \($0)" }))
      }
    }
  }

  /// The number that the next task will have.
  var nextStep: Int { record.withLock { $0.step + 1 } }

  /// Notes contributions that no single answer shows.
  func add(_ contributions: [Contribution], _ refusals: [Refusal]) {
    record.withLock {
      $0.contributions += contributions
      $0.refusals += refusals
    }
  }

  /// What the tasks of this round came to so far.
  func takeRecord() throws -> Record {
    try record.withLock {
      if let error = $0.journalFailure { throw error }
      return $0
    }
  }

  private func tasks(
    _ name: TaskName,
    _ data: Exchange,
    _ sites: [Site],
    keyedAs purpose: TaskName? = nil,
    wrap: ((Exchange, Site) throws -> Exchange)? = nil
  ) throws -> [SiteTask] {
    let step = record.withLock { record in
      record.step += 1
      return record.step
    }
    var data = data
    data.metadata.round = round
    data.metadata.rounds = rounds
    let roundKey = federation.key[(purpose ?? name).description][round]
    let context = FilterContext(
      side: .server,
      direction: .task,
      task: name,
      round: round,
      site: nil,
      key: roundKey["filters"]
    )
    let sent = try federation.filters.tasks.applied(
      to: federation.callbacks.willSend?(name, data, sites) ?? data,
      in: context
    )
    try federation.limits.check(sent)
    var bytes = 0
    let tasks = try sites.map { site in
      let own = try wrap?(sent, site) ?? sent
      bytes += own.byteCount
      return SiteTask(
        step: step,
        name: name,
        round: round,
        site: site,
        data: own,
        key: roundKey[site.index]
      )
    }
    record.withLock { $0.traffic.down += bytes }
    return tasks
  }

  /// Sends a task to sites, and waits until enough answers are in the sink.
  ///
  /// - Parameters:
  ///   - purpose: The task whose keys the sites draw by; the task itself if `nil`.
  ///   - wrap: Makes of the data what a site is sent; the same for all if `nil`.
  ///   - isRecorded: Whether the answers are contributions to the round.
  func ask<Sink: AnswerSink>(
    _ name: TaskName,
    _ data: Exchange,
    _ sites: [Site],
    quorum: Quorum,
    into sink: Sink,
    keyedAs purpose: TaskName? = nil,
    wrap: ((Exchange, Site) throws -> Exchange)? = nil,
    isRecorded: Bool = true
  ) async throws -> AnswerCollector<Sink>.State {
    try Task.checkCancellation()
    try quorum.validate(for: sites)
    let tasks = try tasks(name, data, sites, keyedAs: purpose, wrap: wrap)
    let step = tasks.first?.step ?? 0
    try journal(.taskOpened(step: step, task: name, round: round, sites: sites.count))
    observe(.asked(name, round: round, sites: sites.count))
    let start = ContinuousClock.now
    let clock = federation.clock
    let collector = AnswerCollector(
      asking: sites,
      quorum: quorum,
      into: sink,
      now: { clock?.now() ?? (ContinuousClock.now - start) }
    ) { [self] contribution, answers in
      note { .answerAccepted(step: step, contribution) }
      observe(.answered(self.sites[contribution.index], answers: answers))
    } refused: { [self] refusal in
      note { .answerRefused(step: step, refusal) }
      observe(.refused(refusal))
    }
    let filters = federation.filters.results
    let (limits, callbacks) = (federation.limits, federation.callbacks)
    let transport = federation.transport
    await withTaskGroup(of: Void.self) { group in
      group.addTask {
        await transport.ask(tasks) { event in
          switch event {
          case .progressed(let site): collector.progressed(site)
          case .answered(let site, let result):
            collector.receive(
              result.flatMap { answer in
                Result {
                  try limits.check(answer)
                  let context = FilterContext(
                    side: .server,
                    direction: .result,
                    task: name,
                    round: self.round,
                    site: site,
                    key: self.federation.key[name.description][self.round]["filters"][site.index],
                    reference: data
                  )
                  let filtered = try filters.applied(to: answer, in: context)
                  return callbacks.didReceive?(name, filtered, site) ?? filtered
                }
              },
              arrivedBytes: (try? result.get())?.byteCount ?? 0,
              from: site
            )
          }
        }
        collector.close()
      }
      requests: for await request in collector.requests {
        switch request {
        case .stop: break requests
        case .wake(let time):
          group.addTask {
            do {
              if let clock {
                try await clock.sleep(until: time)
              } else {
                try await ContinuousClock().sleep(until: start + time)
              }
              collector.woke()
            } catch {}
          }
        }
      }
      // Whoever has not answered is told to stop.
      group.cancelAll()
    }
    try Task.checkCancellation()
    let outcome: AnswerCollector<Sink>.State
    do {
      outcome = try collector.result()
    } catch var error as FederationError {
      error.message = "round \(round), task '\(name)': \(error.message)"
      throw error
    }
    record.withLock { record in
      if isRecorded {
        record.contributions += outcome.contributions
        record.refusals += outcome.refusals
      }
      record.traffic += outcome.traffic
    }
    callbacks.didFinish?(name, outcome.contributions, outcome.refusals)
    try journal(.taskClosed(step: step, accepted: outcome.contributions.count))
    return outcome
  }

  /// Journals from a transport's thread, where nothing can be thrown: the round ends with the error.
  private func note(_ event: () -> JournalEvent) {
    do { try journal(event()) } catch { record.withLock { $0.journalFailure = error } }
  }
}

extension Result {
  fileprivate var failure: Failure? {
    if case .failure(let error) = self { error } else { nil }
  }
}
