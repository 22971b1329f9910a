internal import TesseraFederation

extension AuditLog {
  /// Notes what happens at a server, before anything follows from it.
  ///
  /// - Parameters:
  ///   - event: What happens.
  ///   - server: The server's name.
  /// - Throws: As ``append(_:isDurable:)``: what cannot be noted does not happen.
  public func note(_ event: ServerEvent, at server: String) throws {
    switch event {
    case .jobChanged(let job):
      let person: String
      switch job.state {
      case .submitted: person = job.submitter.name
      case .finished(.aborted(let by)): person = by
      case .approved, .dispatched, .running, .finished, .abandoned: person = server
      }
      try append(.jobChanged(job: job.id, state: job.state, by: person))
    case .asked(let what, let person, let decision):
      try append(Self.administration(what, by: person, decision))
    case .round, .progress, .roundFinished, .trouble: break
    }
  }

  /// Notes what happens at a site, before anything follows from it.
  ///
  /// - Parameters:
  ///   - event: What happens.
  ///   - site: The site's name.
  /// - Throws: As ``append(_:isDurable:)``: what cannot be noted does not happen.
  public func note(_ event: SiteJobs.Event, at site: String) throws {
    switch event {
    case .accepted(let job, let person):
      try append(.administration(person: person, action: "deploy", target: job, outcome: .allowed))
    case .refused(let job, let reason):
      try append(.jobChanged(job: job, state: .abandoned(reason: reason), by: site))
    case .began(let job, _): try append(.jobChanged(job: job, state: .running, by: site))
    case .answered(let job, let task, let answer):
      let audited = AuditedTask(job, task)
      try append(contentsOf: [
        .taskGiven(audited, digest: try task.data.digest()),
        .contributionAccepted(
          audited,
          digest: try answer.digest(),
          weight: answer.metadata.weight ?? Double(answer.metadata.samples ?? 0)
        ),
      ])
    case .failed(let job, let task, _):
      // What kept it from answering may tell of the data; the site's log has it.
      try append(
        .contributionRefused(
          AuditedTask(job, task),
          digest: nil,
          reason: "the site has not answered: its log says why"
        )
      )
    // How it ended, the server knows.
    case .forgotten: break
    case .operated(let what, let person, let isAllowed):
      try append(
        .administration(
          person: person,
          action: what,
          target: site,
          outcome: isAllowed ? .allowed : .refused(reason: "the site's policy")
        )
      )
    }
  }

  /// `abort fashion-1` is an action and what it is done to.
  private static func administration(
    _ what: String,
    by person: Submitter,
    _ decision: PolicyDecision
  ) -> AuditEvent {
    let words = what.split(separator: " ", maxSplits: 1).map(String.init)
    let outcome: AuditEvent.Outcome =
      switch decision {
      case .allowed: .allowed
      case .refused(let reason): .refused(reason: reason)
      }
    return .administration(
      person: person,
      action: words.first ?? what,
      target: words.count > 1 ? words[1] : "",
      outcome: outcome
    )
  }
}

extension AuditedTask {
  /// A task of a job, as a site was given it.
  init(_ job: String, _ task: SiteTask) {
    self.init(
      job: job,
      step: task.step,
      task: task.name.description,
      round: task.round,
      site: task.site.name
    )
  }
}
