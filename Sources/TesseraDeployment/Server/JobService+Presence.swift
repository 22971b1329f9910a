internal import Foundation
internal import Synchronization

/// Which sites jobs wait for: told to the log, to those who watch, and to whoever asks.
extension JobService {
  /// Looks who is there, and tells of each job that runs which of its sites have left and which are back.
  ///
  /// - Parameter jobs: All jobs.
  func notePresence(of jobs: [JobRecord]) {
    let now = Date()
    presence.note(connected: network.connectedSites, at: now)
    for job in jobs {
      guard job.state == .running || job.state == .dispatched else {
        presence.forget(job.id)
        continue
      }
      let changes = presence.changes(of: job.id, job.sites.map(\.name), at: now)
      for site in changes.left {
        try? observe(.siteLeft(job: job.id, site))
        watchers.tell(.away(site), of: job.id)
      }
      for site in changes.returned {
        try? observe(.siteReturned(job: job.id, site: site))
        watchers.tell(.returned(site: site), of: job.id)
      }
    }
  }

  /// The sites that a job waits for because they are not there: of a job that runs, its own, and of one that is approved, those
  /// that it is for and that are not disabled.
  func away(for job: JobRecord) -> [JobEvent.AwaySite] {
    switch job.state {
    case .dispatched, .running: return presence.away(among: job.sites.map(\.name))
    case .approved:
      let disabled = (try? store.disabledSites()) ?? []
      return presence.away(
        among: siteNames.filter {
          (job.requirements.sites?.contains($0) ?? true) && refusals[job.id]?[$0] == nil
            && !disabled.contains($0)
        }
      )
    case .submitted, .finished, .abandoned: return []
    }
  }

  /// Jobs with what they wait for, as the last look has found it: all jobs are read for those alone that it has not seen.
  func listed(_ jobs: [JobRecord]) -> [ListedJob] {
    presence.note(connected: network.connectedSites, at: Date())
    var reasons: [String: String] = [:]
    if jobs.contains(where: { $0.state == .approved && waitingReasons[$0.id] == nil }),
      let sites = try? scheduledSites()
    {
      let decisions = JobScheduler.decide(
        jobs: (try? store.jobs()) ?? jobs,
        sites: sites,
        refusals: refusals
      )
      for decision in decisions {
        if case .wait(let reason) = decision.verdict { reasons[decision.job] = reason }
      }
    }
    let pauses = pauses.withLock { $0 }
    return jobs.map { job in
      var job = job
      job.paused = pauses[job.id]
      var waiting = job.paused
      if job.state == .approved { waiting = waitingReasons[job.id] ?? reasons[job.id] }
      // An approved job that has all it needs waits for nobody.
      let isWaiting = job.state != .approved || waiting != nil
      return ListedJob(job: job, waiting: waiting, away: isWaiting ? away(for: job) : [])
    }
  }

  /// A job with what it waits for.
  func listed(_ job: JobRecord) -> ListedJob { listed([job]).first ?? ListedJob(job: job) }
}
