internal import Synchronization
internal import TesseraFederation

/// What travels between a server and the sites of one job: told to the server's log before it is sent and before it counts, and
/// to those who watch while it moves.
final class JobTransfers: TransferObserver {
  private struct Key: Hashable {
    var step: Int
    var site: String
  }

  private struct Known {
    var task: AuditedTask
    /// The digest of the answer, once it has come.
    var answer: String?
    /// Whether it is known what became of the answer.
    var isSettled = false
  }

  private struct State {
    var tasks: [Key: Known] = [:]
    var tally = TransferTally()
  }

  private let job: String
  private let watchers: JobWatchers
  private let observe: @Sendable (ServerEvent) throws -> Void
  private let start = ContinuousClock.now
  private let state = Mutex(State())

  init(
    of job: String,
    for watchers: JobWatchers,
    observe: @escaping @Sendable (ServerEvent) throws -> Void
  ) {
    self.job = job
    self.watchers = watchers
    self.observe = observe
  }

  // MARK: What travels

  func willSend(_ tasks: [(id: TaskID, task: AnnouncedTask)]) throws {
    var given: [ServerEvent.GivenTask] = []
    var last: (parcel: Parcel, digest: String)?
    for (id, task) in tasks {
      // What many sites are sent is the same.
      guard let parcel = task.parcel else { continue }
      let digest: String
      if let last, last.parcel == parcel {
        digest = last.digest
      } else {
        digest = parcel.digest
        last = (parcel, digest)
      }
      let audited = AuditedTask(
        job: id.job,
        step: id.step,
        task: task.name.description,
        round: task.round,
        site: task.site.name
      )
      given.append(ServerEvent.GivenTask(task: audited, digest: digest))
    }
    try observe(.tasksGiven(given))
    state.withLock { state in
      for one in given {
        state.tasks[Key(step: one.task.step, site: one.task.site)] = Known(task: one.task)
      }
    }
    // What prepares a job belongs to no round.
    guard let first = given.first?.task, first.step > 0 else { return }
    watchers.tell(
      .asked(task: first.task, round: first.round, sites: given.map(\.task.site)),
      of: job
    )
  }

  func didReceive(_ answer: Parcel, to id: TaskID, from site: Site) {
    let digest = answer.digest
    let now = ContinuousClock.now - start
    let picture = state.withLock { state in
      state.tasks[Key(step: id.step, site: site.name)]?.answer = digest
      return state.tally.finish(.up, of: site.name, at: now)
    }
    if let picture { watchers.tell(.transferring(picture), of: job) }
  }

  func measured(_ measurements: TaskMeasurements, of id: TaskID, from site: Site) {
    guard watchers.areThere(for: job),
      let task = state.withLock({ $0.tasks[Key(step: id.step, site: site.name)]?.task })
    else { return }
    watchers.tell(
      .measured(
        JobEvent.SiteMeasurement(
          site: site.name,
          round: task.round,
          step: measurements.step,
          metrics: measurements.metrics
        )
      ),
      of: job
    )
  }

  var wantsProgress: Bool { watchers.areThere(for: job) }

  func moved(_ progress: TransferProgress, of id: TaskID) {
    let now = ContinuousClock.now - start
    guard let picture = state.withLock({ $0.tally.note(progress, at: now) }) else { return }
    watchers.tell(.transferring(picture), of: job)
  }

  // MARK: What becomes of it

  /// Tells the server's log what a round's journal says.
  ///
  /// - Throws: What refuses it.
  func note(_ event: JournalEvent) throws {
    switch event {
    case .answerAccepted(let step, let part):
      try accepted(step: step, site: part.site, weight: part.weight)
    case .answerRefused(let step, let refusal):
      try refused(step: step, site: refusal.site, because: refusal.reason)
    case .roundStarted, .taskOpened, .taskClosed: break
    }
  }

  /// An answer counts.
  func accepted(step: Int, site: String, weight: Double) throws {
    guard let known = settle(step, site), let digest = known.answer else { return }
    try observe(.answerAccepted(known.task, digest: digest, weight: weight))
  }

  /// An answer does not count, or there is none.
  func refused(step: Int, site: String, because reason: String) throws {
    guard let known = settle(step, site) else { return }
    try observe(.answerRefused(known.task, digest: known.answer, reason: reason))
  }

  /// A round is about to be saved: what counted in it must be in the server's log.
  func willSave(round: Int) throws {
    try observe(.roundWillBeSaved(job: job, round: round))
    state.withLock { state in state.tasks = state.tasks.filter { !$0.value.isSettled } }
  }

  private func settle(_ step: Int, _ site: String) -> Known? {
    state.withLock { state in
      let key = Key(step: step, site: site)
      state.tasks[key]?.isSettled = true
      return state.tasks[key]
    }
  }
}
