internal import Synchronization
internal import TesseraCore

/// One task as it is sent to some sites.
struct Sending: Sendable {
  var step: Int
  var name: TaskName
  /// Seeds the draws of this task.
  var key: RandomKey
  /// What the task came with before the server's filters: what answers refer to.
  var data: Exchange
  var tasks: [SiteTask]
}

extension Controller {
  /// Makes a task ready to be sent: filtered, checked, numbered and counted.
  func prepare(
    _ name: TaskName,
    _ data: Exchange,
    for sites: [Site],
    as purpose: TaskName? = nil,
    key: RandomKey? = nil,
    wrap: ((Exchange, Site) throws -> Exchange)? = nil
  ) throws -> Sending {
    let key = key ?? taskKey(for: name)
    return try prepare(
      name,
      data,
      round: round,
      key: key,
      for: sites,
      filteredAs: purpose,
      wrap: wrap
    ) { key[$0.index] }
  }

  /// Seeds what sites draw for the next task of a name in this round.
  func taskKey(for name: TaskName) -> RandomKey {
    let repetition = record.withLock { record in
      record.repetitions[name, default: 0] += 1
      return record.repetitions[name, default: 0]
    }
    let key = federation.key[name.description][round]
    // A second task of the same name in a round must not draw the noise of the first.
    return repetition > 1 ? key["repetition"][repetition] : key
  }

  func prepare(
    _ name: TaskName,
    _ data: Exchange,
    round: Int,
    key: RandomKey,
    for sites: [Site],
    filteredAs purpose: TaskName? = nil,
    isDispatched: Bool = false,
    wrap: ((Exchange, Site) throws -> Exchange)? = nil,
    siteKey: (Site) -> RandomKey
  ) throws -> Sending {
    let (step, unused) = record.withLock { record in
      record.step += 1
      return (record.step, record.unused)
    }
    // What is under way at a site may be used yet.
    let busy = flights.busy
    var data = data
    data.metadata.round = round
    data.metadata.rounds = rounds
    let context = FilterContext(
      side: .server,
      direction: .task,
      task: purpose ?? name,
      round: round,
      site: nil,
      key: key["filters"],
      secrets: federation.secrets.derived("tasks \(step)")
    )
    let decided = federation.decided
    let sent = try federation.filters.tasks.applied(
      to: federation.callbacks.willSend?(name, data, sites) ?? data,
      in: context
    ) { _, _, _, _ in
    } passed: { filter, _ in
      for site in sites {
        try decided(
          .filtered(
            .task,
            filter: filter.shownName,
            step: step,
            task: purpose ?? name,
            round: round,
            site: site
          )
        )
      }
    }
    try federation.limits.check(sent)
    var bytes = 0
    let tasks = try sites.map { site in
      let own = try wrap?(sent, site) ?? sent
      bytes = bytes.addingUpToLimit(own.byteCount)
      var task = SiteTask(
        step: step,
        name: name,
        round: round,
        site: site,
        data: own,
        key: siteKey(site)
      )
      if let first = unused[site.index], !busy.contains(site.index) || isDispatched {
        task.unusedSince = first
      }
      return task
    }
    record.withLock { $0.traffic.down += bytes }
    return Sending(step: step, name: name, key: key, data: data, tasks: tasks)
  }

  // Sends a task to sites and takes their answers until the quorum is there. Sites draw by the given key, or that of the task
  // itself; `wrap` makes of the filtered data what a site is sent; what is not recorded is no contribution to the round, and what
  // sites remember of it is noted by who asks; what is protected is charged to the job's budget by who asks.
  func ask<Sink: AnswerSink>(
    _ name: TaskName,
    _ data: Exchange,
    _ sites: [Site],
    quorum: Quorum,
    into sink: Sink,
    as purpose: TaskName? = nil,
    key: RandomKey? = nil,
    wrap: ((Exchange, Site) throws -> Exchange)? = nil,
    isRecorded: Bool = true,
    isProtected: Bool = false
  ) async throws -> AnswerCollector<Sink>.State {
    try Task.checkCancellation()
    if !isProtected { try requireNoBudget(for: name) }
    try quorum.validate(for: sites)
    let sending = try prepare(name, data, for: sites, as: purpose, key: key, wrap: wrap)
    let step = sending.step
    try journal(.taskOpened(step: step, task: name, round: round, sites: sites.count))
    observe(.asked(name, round: round, sites: sites.count))
    let start = ContinuousClock.now
    let down = Dictionary(sending.tasks.map { ($0.site.index, $0.data.byteCount) }) { $1 }
    let outcome = try await exchange([sending], with: sites, quorum: quorum, into: sink) {
      contribution,
      answers,
      received in
      let effort = SiteEffort(
        seconds: (ContinuousClock.now - start) / .seconds(1),
        bytesDown: down[contribution.index] ?? 0,
        bytesUp: received.traffic.up
      )
      self.record.withLock { $0.efforts[contribution.site, default: SiteEffort()] += effort }
      self.observe(.worked(self.sites[contribution.index], effort))
      self.note { .answerAccepted(step: step, contribution) }
      self.observe(.answered(self.sites[contribution.index], answers: answers))
    } refused: { refusal in
      self.note { .answerRefused(step: step, refusal) }
      self.observe(.refused(refusal))
    }
    let busy = flights.busy
    let journalFailure = record.withLock { record in
      // Of a task that came to nothing, too: a workflow may go on without it.
      if isRecorded { record.refusals += outcome.refusals }
      record.traffic += outcome.traffic
      // Whoever was asked, and is in nothing, has learned in vain.
      if isRecorded {
        let used = outcome.failure == nil ? Set(outcome.contributions.map(\.index)) : []
        for site in sites where !busy.contains(site.index) {
          record.note(step, of: site, isUsed: used.contains(site.index))
        }
      }
      if isRecorded, outcome.failure == nil { record.contributions += outcome.contributions }
      return record.journalFailure
    }
    if let journalFailure { throw journalFailure }
    if let failure = outcome.failure {
      throw FederationError(
        code: .tooFewSites,
        message: "round \(round), task '\(name)': \(failure)"
      )
    }
    federation.callbacks.didFinish?(name, outcome.contributions, outcome.refusals)
    try journal(.taskClosed(step: step, accepted: outcome.contributions.count))
    return outcome
  }

  /// Carries tasks to sites, each site having one of them, and their answers into a sink.
  ///
  /// - Throws: `CancellationError`, and `TensorError` if this machine cannot keep an answer; whether there were enough stands in the
  ///   outcome.
  func exchange<Sink: AnswerSink>(
    _ sendings: [Sending],
    with sites: [Site],
    quorum: Quorum,
    into sink: Sink,
    accepted: @escaping @Sendable (Contribution, _ answers: Int, Received) -> Void,
    refused: @escaping @Sendable (Refusal) -> Void
  ) async throws -> AnswerCollector<Sink>.State {
    let start = ContinuousClock.now
    let clock = federation.clock
    let collector = AnswerCollector(
      asking: sites,
      for: sendings.first?.name ?? .train,
      quorum: quorum,
      into: sink,
      now: { clock?.now() ?? (ContinuousClock.now - start) },
      accepted: accepted,
      refused: refused
    )
    let transport = federation.transport
    let open = open(sendings)
    await withTaskGroup(of: Void.self) { group in
      group.addTask {
        await transport.ask(sendings.flatMap(\.tasks)) { event in
          // Whoever was told to stop answers in vain, and a stopped run leaves nothing.
          guard !Task.isCancelled else { return }
          switch event {
          case .waiting(let site): collector.waiting(site)
          case .progressed(let site): collector.progressed(site)
          case .answered(let site, let result):
            collector.receive(
              result.flatMap { answer in Result { try open(answer, site) } },
              from: site
            )
          }
        }
        if !Task.isCancelled { collector.close() }
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
    let outcome = collector.outcome()
    if let fault = outcome.fault { throw fault }
    return outcome
  }

  /// What is done with each answer before it is used: checked, measured, filtered.
  private func open(_ sendings: [Sending]) -> @Sendable (Exchange, Site) throws -> Received {
    let filters = federation.filters.results
    let (limits, callbacks) = (federation.limits, federation.callbacks)
    let decided = federation.decided
    let secrets = federation.secrets
    var positions: [Int: Int] = [:]
    if sendings.count > 1 {
      for (position, sending) in sendings.enumerated() {
        for task in sending.tasks { positions[task.site.index] = position }
      }
    }
    return { [positions] answer, site in
      try limits.check(answer)
      var traffic = Traffic()
      traffic.up = answer.byteCount
      let position = sendings.count > 1 ? positions[site.index] : 0
      guard let sending = position.map({ sendings[$0] }) else {
        traffic.upUnprocessed = answer.unprocessedByteCount
        return Received(answer: answer, traffic: traffic)
      }
      let context = FilterContext(
        side: .server,
        direction: .result,
        task: sending.name,
        round: sending.data.metadata.round ?? 1,
        site: site,
        key: sending.key["filters"][site.index],
        reference: sending.data,
        secrets: secrets.derived("answers \(sending.step)/\(site.index)")
      )
      // A site that says why it has no answer is not asked to have one that filters can read.
      var filtered = answer
      if answer.returnCode == .ok {
        filtered = try filters.applied(to: answer, in: context) { _, _, _, _ in
        } passed: { filter, _ in
          try decided(
            .filtered(
              .result,
              filter: filter.shownName,
              step: sending.step,
              task: sending.name,
              round: context.round,
              site: site
            )
          )
        }
      }
      let taken = callbacks.didReceive?(sending.name, filtered, site) ?? filtered
      traffic.upUnprocessed = taken.unprocessedByteCount
      return Received(answer: taken, traffic: traffic)
    }
  }

  /// Journals from a transport's thread, where nothing can be thrown: the round ends with the error.
  func note(_ event: () -> JournalEvent) {
    do { try journal(event()) } catch { record.withLock { $0.journalFailure = error } }
  }
}

extension Controller.Record {
  /// Notes whether a site's answer to a task is used.
  mutating func note(_ step: Int, of site: Site, isUsed: Bool) {
    unused[site.index] = isUsed ? nil : unused[site.index] ?? step
  }
}
