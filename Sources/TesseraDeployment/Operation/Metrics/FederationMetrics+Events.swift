internal import TesseraFederation

extension FederationMetrics {
  /// Counts what happens at a server; from any thread.
  public func observe(_ event: ServerEvent) {
    switch event {
    case .progress(let job, let event):
      observe(event, of: job)
      switch event {
      case .asked(_, _, let sites): openTasks.set(Double(sites), [job])
      case .answered, .refused: openTasks.add(-1, [job])
      case .roundStarted, .worked, .notified: break
      }
    case .roundFinished(let job, let round):
      finishRound(after: round.seconds, of: job)
      openTasks.set(0, [job])
    case .jobChanged(let job): if job.state.isOver { openTasks.set(0, [job.id]) }
    case .jobPaused(let job, _): pausedJobs.set(1, [job])
    case .jobGoesOn(let job): pausedJobs.set(0, [job])
    case .jobDeleted(let job): forget(job: job)
    case .tasksGiven, .answerAccepted, .answerRefused, .decided, .roundWillBeSaved, .asked,
      .jobWaits, .siteLeft, .siteReturned, .trouble:
      break
    }
  }

  /// Shows how many jobs a store has in each state, each time that somebody looks.
  public func watchJobs(of store: any JobStore) {
    let gauge = jobs
    registry.beforeExposition {
      // A store that cannot be read is for `/ready` to say.
      guard let all = try? store.jobs() else { return }
      gauge.replace(with: Dictionary(all.map { ($0.state.name, 1) }) { $0 + $1 })
    }
  }

  /// Shows how many sites a network has, each time that somebody looks.
  public func watchSites(of network: any SiteNetwork) {
    let gauge = connectedSites
    registry.beforeExposition { gauge.set(Double(network.connectedSites.count)) }
  }
}
