internal import TesseraFederation

extension AuditLog {
  /// Notes what happens at a server, before anything follows from it.
  ///
  /// The tasks of a round are with the system before the first of them is sent, in one write. What became of their answers is
  /// signed and written in the background, and with the system before the round is saved; so is what filters and the job's budget
  /// decide. All of it is on the disk a second later;
  /// states of jobs, and who asked for what, are when this returns.
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
    case .tasksGiven(let tasks):
      try append(
        contentsOf: tasks.map { .taskGiven($0.task, digest: $0.digest) },
        isDurable: false
      )
    case .answerAccepted(let task, let digest, let weight):
      try enqueue([.contributionAccepted(task, digest: digest, weight: weight)])
    case .answerRefused(let task, let digest, let reason):
      try enqueue([.contributionRefused(task, digest: digest, reason: reason)])
    case .decided(let job, let decision): try enqueue([Self.event(of: decision, in: job)])
    case .roundWillBeSaved: try settle()
    case .progress, .roundFinished, .jobPaused, .jobGoesOn, .jobDeleted, .jobWaits, .siteLeft,
      .siteReturned,
      .trouble:
      break
    }
  }

  /// Notes what happens at a site, before anything follows from it.
  ///
  /// That a task has come, and what filters and the budget say of it, is signed and written in the background, and with the system
  /// before its answer leaves; on the disk a second later. What is not about a task is on the disk when this returns.
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
    case .given(let job, let task):
      try enqueue([.taskGiven(AuditedTask(job, task), digest: task.digest ?? "")])
    case .decided(let job, let task, let decision):
      try enqueue([Self.event(of: decision, about: AuditedTask(job, task))])
    case .answered(let job, let task, let answer):
      let metadata = answer.outline.metadata
      try append(
        .contributionAccepted(
          AuditedTask(job, task),
          digest: answer.digest,
          weight: metadata.weight ?? Double(metadata.samples ?? 0)
        ),
        isDurable: false
      )
    case .failed(let job, let task, let error):
      try append(
        .contributionRefused(
          AuditedTask(job, task),
          digest: nil,
          reason: Self.reason(of: error)
        )
      )
    // How it ended, the server knows.
    case .forgotten: break
    case .operationRefused(let reason): try append(.operationRefused(reason: reason))
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

  private static func event(of decision: SiteDecision, about task: AuditedTask) -> AuditEvent {
    switch decision {
    case .filtered(let direction, let filter, let isOwn):
      .filterApplied(
        task,
        filter: filter,
        owner: isOwn ? .site : .job,
        passing: direction == .task ? .task : .answer
      )
    case .charged(let epsilon, let delta, let left):
      .budgetSpent(task, epsilon: epsilon, left: left, delta: delta)
    case .keptBack(let reason): .budgetRefused(task, reason: reason)
    }
  }

  private static func event(of decision: ServerDecision, in job: String) -> AuditEvent {
    switch decision {
    case .filtered(let direction, let filter, let step, let task, let round, let site):
      .filterApplied(
        AuditedTask(job: job, step: step, task: task.description, round: round, site: site.name),
        filter: filter,
        owner: .server,
        passing: direction == .task ? .task : .answer
      )
    case .charged(let round, let purpose, let epsilon, let delta, let left):
      .jobBudgetSpent(
        job: job,
        round: round,
        purpose: purpose,
        epsilon: epsilon,
        left: left,
        delta: delta
      )
    case .refused(let round, let purpose, let reason):
      .jobBudgetRefused(job: job, round: round, purpose: purpose, reason: reason)
    }
  }

  /// Errors of Tessera's own never hold data; what others say may, and is for the site's log alone.
  private static func reason(of error: any Error) -> String {
    switch error {
    case let error as FederationError: error.message
    case let error as DeploymentError: error.message
    case is CancellationError: "nobody waits for it any longer"
    default: "the site has not answered: its log says why"
    }
  }

  /// `abort fashion-1` is an action and what it is done to.
  private static func administration(
    _ what: String,
    by person: Person,
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
