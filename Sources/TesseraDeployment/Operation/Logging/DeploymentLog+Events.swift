internal import Foundation
public import Logging
internal import TesseraFederation
internal import TesseraProvisioning

extension DeploymentLog {
  /// Says what happens at a server.
  ///
  /// - Parameters:
  ///   - event: What happens.
  ///   - logger: Says it: the server's own, from ``logger(_:metadata:)``.
  public static func note(_ event: ServerEvent, by logger: Logger) {
    switch event {
    case .jobChanged(let job):
      var metadata: Logger.Metadata = ["job": "\(job.id)", "submitter": "\(job.submitter.name)"]
      if let reason = job.state.reason { metadata["reason"] = "\(reason)" }
      logger.log(
        level: job.state.isTrouble ? .warning : .info,
        "the job is \(job.state.name)",
        metadata: metadata
      )
    case .progress(let job, let event): note(event, of: job, by: logger)
    case .tasksGiven, .answerAccepted, .answerRefused, .roundWillBeSaved, .decided(_, .filtered):
      break
    case .decided(let job, .charged(let round, let purpose, let epsilon, let delta, let left)):
      logger.debug(
        "the job's privacy budget is charged",
        metadata: [
          "job": "\(job)", "purpose": "\(purpose)", "round": "\(round)", "epsilon": "\(epsilon)",
          "delta": "\(delta)", "left": "\(left)",
        ]
      )
    case .decided(let job, .refused(let round, let purpose, let reason)):
      logger.warning(
        "the job's privacy budget refuses a release",
        metadata: [
          "job": "\(job)", "purpose": "\(purpose)", "round": "\(round)", "reason": "\(reason)",
        ]
      )
    case .roundFinished(let job, let round):
      var metadata: Logger.Metadata = [
        "job": "\(job)", "round": "\(round.round)", "rounds": "\(round.rounds)",
        "seconds": "\(round.seconds)", "sites": "\(round.contributors.count)",
        "bytes_down": "\(round.bytesDown)", "bytes_up": "\(round.bytesUp)",
      ]
      if let loss = round.trainingLoss { metadata["loss"] = "\(loss)" }
      if let accuracy = round.accuracy { metadata["accuracy"] = "\(accuracy)" }
      logger.info("a round is done", metadata: metadata)
    case .jobWaits(let job, let reason):
      logger.info("the job \(reason)", metadata: ["job": "\(job)"])
    case .siteLeft(let job, let site):
      logger.warning(
        "a site of the job is away: its tasks wait for it",
        metadata: [
          "job": "\(job)", "site": "\(site.site)", "since": "\(site.since.ISO8601Format())",
        ]
      )
    case .siteReturned(let job, let site):
      logger.info(
        "a site of the job is there again",
        metadata: ["job": "\(job)", "site": "\(site)"]
      )
    case .asked(let what, let person, let decision):
      var metadata: Logger.Metadata = [
        "organisation": "\(person.organisation)", "role": "\(person.role.rawValue)",
      ]
      if case .refused(let reason) = decision { metadata["reason"] = "\(reason)" }
      logger.log(
        level: decision.isAllowed ? .info : .warning,
        "\(person.name) asks for '\(what)': \(decision.isAllowed ? "allowed" : "refused")",
        metadata: metadata
      )
    case .jobPaused(let job, let reason):
      logger.error(
        "the job pauses: the server cannot write",
        metadata: ["job": "\(job)", "reason": "\(reason)"]
      )
    case .jobGoesOn(let job):
      logger.notice("the job has paused no longer", metadata: ["job": "\(job)"])
    case .jobDeleted(let job): logger.info("the job is deleted", metadata: ["job": "\(job)"])
    case .trouble(let job, let text):
      logger.error("\(text)", metadata: job.map { ["job": "\($0)"] })
    }
  }

  private static func note(_ event: FederationEvent, of job: String, by logger: Logger) {
    switch event {
    case .roundStarted(let round, _):
      logger.debug("a round begins", metadata: ["job": "\(job)", "round": "\(round)"])
    case .asked(let task, let round, let sites):
      logger.debug(
        "sites are asked",
        metadata: ["job": "\(job)", "task": "\(task)", "round": "\(round)", "sites": "\(sites)"]
      )
    case .worked(let site, let effort):
      logger.debug(
        "an answer is used",
        metadata: [
          "job": "\(job)", "site": "\(site.name)", "seconds": "\(effort.seconds)",
          "bytes_down": "\(effort.bytesDown)", "bytes_up": "\(effort.bytesUp)",
        ]
      )
    case .answered: break
    case .refused(let refusal):
      logger.warning(
        "an answer is not used",
        metadata: [
          "job": "\(job)", "site": "\(refusal.site)", "reason": "\(refusal.reason)",
        ]
      )
    case .notified(let site, let error?):
      logger.warning(
        "a site could not do what nobody waits for",
        metadata: ["job": "\(job)", "site": "\(site.name)", "reason": "\(error)"]
      )
    case .notified(_, nil): break
    }
  }

  /// Says what happens at a site.
  ///
  /// - Parameters:
  ///   - event: What happens.
  ///   - logger: Says it: the site's own, with its name as `site`.
  public static func note(_ event: SiteJobs.Event, by logger: Logger) {
    switch event {
    case .accepted(let job, let person):
      logger.info(
        "the job is taken",
        metadata: ["job": "\(job)", "submitter": "\(person.name)"]
      )
    case .refused(let job, let reason):
      logger.warning("the job is refused", metadata: ["job": "\(job)", "reason": "\(reason)"])
    case .began(let job, let sites):
      logger.info("the job begins", metadata: ["job": "\(job)", "sites": "\(sites)"])
    case .answered(let job, let task, _):
      logger.debug(
        "a task is answered",
        metadata: ["job": "\(job)", "task": "\(task.name)", "round": "\(task.round)"]
      )
    case .given, .decided(_, _, .filtered): break
    case .decided(let job, let task, .charged(let epsilon, let delta, let left)):
      logger.debug(
        "an answer is charged to the privacy budget",
        metadata: [
          "job": "\(job)", "task": "\(task.name)", "round": "\(task.round)",
          "epsilon": "\(epsilon)",
          "delta": "\(delta)", "left": "\(left)",
        ]
      )
    case .decided(let job, let task, .keptBack(let reason)):
      logger.warning(
        "the privacy budget keeps an answer back",
        metadata: [
          "job": "\(job)", "task": "\(task.name)", "round": "\(task.round)", "reason": "\(reason)",
        ]
      )
    case .failed(let job, let task, let error):
      logger.error(
        "a task is not answered",
        metadata: [
          "job": "\(job)", "task": "\(task.name)", "round": "\(task.round)", "reason": "\(error)",
        ]
      )
    case .forgotten(let job): logger.info("the job is over", metadata: ["job": "\(job)"])
    case .operated(let what, let person, let isAllowed):
      logger.log(
        level: isAllowed ? .info : .warning,
        "\(person.name) asks for '\(what)': \(isAllowed ? "allowed" : "refused")",
        metadata: ["organisation": "\(person.organisation)", "role": "\(person.role.rawValue)"]
      )
    case .operationRefused(let reason):
      logger.warning(
        "the server asks for what nobody may ask for",
        metadata: ["reason": "\(reason)"]
      )
    }
  }
}

extension JobState {
  /// Whether somebody should look at it.
  fileprivate var isTrouble: Bool {
    switch self {
    case .finished(.failed), .abandoned: true
    case .submitted, .approved, .dispatched, .running, .finished: false
    }
  }
}
