internal import Dispatch
internal import Foundation
internal import Synchronization
public import SystemPackage
public import TesseraFederation
public import TesseraProvisioning
internal import TesseraRun

/// A server's jobs: takes them, finds sites for them, runs several at once, and goes on after a kill with what it finds.
///
///     let service = try JobService(kit, network: server, store: SQLiteJobStore(at: "jobs.sqlite"))
///     async let running: Void = service.run()
///     let job = try await service.submit(bundle, by: ada)
///
/// All that must outlive the process is in the store and in a folder for each job: `bundle/`, the signed job; `roster.json`, its
/// sites; `run/`, the record of its rounds. With a ``JobReplica``, these are copied to where a server that takes over finds them.
public actor JobService {
  /// What a service knows of its surroundings.
  public struct Settings: Sendable {
    /// How long a site may say nothing while a job is prepared.
    public var patience = Duration.seconds(60)
    /// After which time a job is tried again that pauses, and whatever else waits for room on a disk; as ``patience`` if `nil`.
    public var pause: Duration?
    /// How many jobs run at once.
    public var jobsAtOnce = 16
    /// What jobs can name.
    public var components = JobComponents.standard

    /// The usual settings.
    public init() {}
  }

  nonisolated let kit: StartupKit
  nonisolated let network: any SiteNetwork
  nonisolated let store: any JobStore
  nonisolated let replica: (any JobReplica)?
  nonisolated let policy: SitePolicy
  nonisolated let revocations: SharedRevocations
  nonisolated let folder: FilePath
  nonisolated let settings: Settings
  nonisolated let watchers = JobWatchers()
  nonisolated let observe: @Sendable (ServerEvent) throws -> Void
  /// What sites said of themselves when they came.
  var described: [String: SiteDescription] = [:]
  /// The sites that are there and were asked what they are.
  private var asked: Set<String> = []
  /// Why sites do not want a job, by the job's id and the site's name.
  var refusals: [String: [String: String]] = [:]
  /// Ends a job that is carried out.
  var stops: [String: AsyncStream<Never>.Continuation] = [:]
  /// Who aborts it.
  var aborted: [String: String] = [:]
  var waitingReasons: [String: String] = [:]
  /// Which sites are away, and since when.
  var presence = SitePresence(since: Date())
  /// The jobs whose folders here are as new as their copies.
  nonisolated let current = Mutex<Set<String>>([])
  /// Restores folders, one after the other, where no task has to wait for it: those of jobs that go on, and those that somebody wants to
  /// see, which may be large and many.
  nonisolated let restores = (
    running: DispatchQueue(label: "tessera.restores.running"),
    seen: DispatchQueue(label: "tessera.restores.seen")
  )
  /// The folders that are being restored, each by one at a time.
  nonisolated let restoring = Mutex<[String: RestoredFolder]>([:])
  /// The downloads that were noted, by person and path.
  nonisolated let downloads = Mutex<Set<String>>([])
  /// What jobs have become that is noted, and that the store has not kept yet.
  let unkept = Mutex<[String: JobState]>([:])
  /// Why jobs pause: the server cannot write what they come to.
  nonisolated let pauses = Mutex<[String: String]>([:])
  /// Jobs that have arrived, and of which could not be noted what the server thinks of them.
  private var unexamined: Set<String> = []
  private var troubles = RefusalTally()
  /// Why the server cannot go on: what another one would need to take over can be written no longer.
  nonisolated let fault = Mutex<(any Error)?>(nil)
  private var steps = 0
  private var looksLater = false

  enum Event: Sendable {
    case look
    case lookLater
    case start(job: String)
    case holds(site: String, jobs: [String])
    case stop(any Error)
  }
  private let events: AsyncStream<Event>
  let event: AsyncStream<Event>.Continuation
  /// Has the service look what can start: once for all that happens before it does.
  nonisolated let looks: DueLook

  /// A service that does nothing yet.
  ///
  /// - Parameters:
  ///   - kit: The server's.
  ///   - network: The way to the sites.
  ///   - store: Where jobs are kept.
  ///   - replica: Where copies of their folders are kept, if another server can take over; ``takeOver()`` then comes before
  ///     ``run()``.
  ///   - folder: Where their folders are; `work/jobs` in the kit if `nil`.
  ///   - settings: The rest.
  ///   - observe: Is told what happens, before anything follows from it; throwing refuses it.
  /// - Throws: `ConfigurationError` if the server's own files are wrong; ``DeploymentError`` if the folder cannot be made.
  public init(
    _ kit: StartupKit,
    network: any SiteNetwork,
    store: any JobStore,
    replica: (any JobReplica)? = nil,
    in folder: FilePath? = nil,
    settings: Settings = Settings(),
    observe: @escaping @Sendable (ServerEvent) throws -> Void = { _ in }
  ) throws {
    self.kit = kit
    self.network = network
    self.store = store
    self.replica = replica
    self.settings = settings
    self.observe = observe
    policy = try SitePolicy(of: kit, components: settings.components)
    revocations = SharedRevocations(kit)
    self.folder = folder ?? kit.folder.appending("work").appending("jobs")
    let (events, event) = AsyncStream<Event>.makeStream()
    (self.events, self.event) = (events, event)
    looks = DueLook { event.yield(.look) }
    // Sites may come before ``run()`` looks.
    network.whenSitesHold { [event] in event.yield(.holds(site: $0, jobs: $1)) }
    do {
      try FileManager.default.createDirectory(
        atPath: self.folder.string,
        withIntermediateDirectories: true,
        attributes: [.posixPermissions: 0o700]
      )
    } catch {
      throw DeploymentError(code: .cannotWrite, message: "the folder \(self.folder) cannot be made")
    }
  }

  /// Runs jobs, until the task is cancelled; those that run then go on when the server is started again.
  ///
  /// - Throws: What keeps the server from noting what it does, where another one can take over.
  public func run() async throws {
    let (event, looks) = (event, looks)
    network.whenSitesChange { looks.ask() }
    // What an earlier process has left.
    for job in try store.jobs() where !job.state.isOver {
      switch job.state {
      case .submitted: unexamined.insert(job.id)
      case .dispatched, .running:
        watchers.begin(job.id)
        event.yield(.start(job: job.id))
      default: break
      }
    }
    lookAgain()
    defer { watchers.endAll() }
    try await withThrowingDiscardingTaskGroup { group in
      // Sites find a server that has just started within moments; who has not come by then is away.
      group.addTask {
        guard (try? await ContinuousClock().sleep(for: .seconds(SitePresence.grace))) != nil else {
          return
        }
        looks.ask()
      }
      for await event in events {
        switch event {
        case .stop(let error): throw error
        case .holds(let site, let jobs):
          group.addTask { await self.bidFarewell(to: site, of: jobs) }
        case .start(let job): group.addTask { await self.carryOut(job) }
        case .lookLater:
          guard !looksLater else { continue }
          looksLater = true
          group.addTask { await self.lookAfterAWhile() }
        case .look:
          looks.begin()
          // Nothing is known then, and not that there are no jobs.
          guard let jobs = try? store.jobs() else {
            self.event.yield(.lookLater)
            continue
          }
          notePresence(of: jobs)
          // One site that does not answer keeps nobody waiting.
          for site in strangers() { group.addTask { await self.getAcquainted(with: site) } }
          for job in unexamined { group.addTask { await self.examineAgain(job) } }
          for job in schedule(jobs) { group.addTask { await self.carryOut(job) } }
        }
      }
      group.cancelAll()
    }
  }

  /// Looks again when there may be room on the disk: nobody says when.
  private func lookAfterAWhile() async {
    try? await ContinuousClock().sleep(for: retryInterval)
    looksLater = false
    lookAgain()
  }

  /// After which time it is tried again what there was no room for.
  nonisolated var retryInterval: Duration { settings.pause ?? settings.patience }

  /// Looks again which jobs can start.
  nonisolated func lookAgain() { looks.ask() }

  /// Ends ``run()``.
  nonisolated func stop(because error: any Error) { event.yield(.stop(error)) }

  // MARK: Sites

  /// The server's name.
  public nonisolated var serverName: String { kit.participant.name }

  /// All sites of the federation, by the authority's list.
  nonisolated var siteNames: [String] {
    kit.participants.entries.map(\.participant).filter { $0.kind == .site }.map(\.name)
  }

  /// Sites that have come, and have not been asked what they are.
  private func strangers() -> [String] {
    let connected = network.connectedSites
    described = described.filter { connected.contains($0.key) }
    asked.formIntersection(connected)
    let strangers = connected.subtracting(asked).sorted()
    asked.formUnion(strangers)
    return strangers
  }

  /// Asks a site that has come what it is.
  private func getAcquainted(with site: String) async {
    let description = try? await describe(site)
    described[site] = description
    lookAgain()
    guard description == nil else { return }
    // Who did not answer is asked again, after a while.
    try? await ContinuousClock().sleep(for: settings.patience)
    asked.remove(site)
    lookAgain()
  }

  /// Asks a site what it is.
  ///
  /// - Throws: ``DeploymentError`` with code ``DeploymentError/Code/unavailable`` if it does not answer.
  func describe(_ site: String) async throws -> SiteDescription {
    let before = Date()
    let answer = try await ask(.describe, Exchange(.custom("site")), site)
    let halfWay = before.addingTimeInterval(Date().timeIntervalSince(before) / 2)
    var description = try JSONText.value(SiteDescription.self, of: answer.headers["site"] ?? "")
    description.clockDifference = description.time?.timeIntervalSince(halfWay)
    return description
  }

  /// Asks a site for something that belongs to no job.
  func ask(_ task: TaskName, _ data: Exchange, _ site: String) async throws -> Exchange {
    guard network.connectedSites.contains(site) else {
      throw DeploymentError(code: .unavailable, message: "the site \(site) is not connected")
    }
    steps += 1
    let answers = try await network.ask(
      task,
      step: steps,
      data: data,
      of: SiteJobs.noJob,
      [Site(index: 0, name: site, exampleCount: 1)],
      patience: .seconds(10)
    )
    guard let answer = answers[0] else {
      throw DeploymentError(code: .unavailable, message: "the site \(site) does not answer")
    }
    return try answer.get()
  }

  /// Tells a site which of the jobs that it keeps something of are over: what it was told before may have gone with a connection.
  nonisolated private func bidFarewell(to site: String, of jobs: [String]) async {
    for id in jobs where SiteJobs.isID(id) {
      do {
        let job = try store.job(id)
        let isAborted = if case .finished(.aborted)? = job?.state { true } else { false }
        // One that runs without the site is over for it.
        let isWithout = job?.state == .running && job?.sites.contains { $0.name == site } == false
        guard job?.state.isOver ?? true || isWithout else { continue }
        network.end(id, at: [site], isAborted: isAborted)
      } catch {
        try? observe(.trouble(job: id, "\(error)"))
      }
    }
  }

  /// The sites, for the scheduler.
  ///
  /// - Throws: ``DeploymentError`` if the store cannot say which are disabled.
  func scheduledSites() throws -> [ScheduledSite] {
    let connected = network.connectedSites
    let disabled = try store.disabledSites()
    return siteNames.map {
      ScheduledSite(
        name: $0,
        isConnected: connected.contains($0),
        isDisabled: disabled.contains($0),
        resources: described[$0]?.resources
      )
    }
  }

  // MARK: Jobs

  /// Where a job's folder is.
  nonisolated func folder(of job: String) -> FilePath { folder.appending(job) }
  /// Where its signed folder is.
  nonisolated func bundleFolder(of job: String) -> FilePath {
    folder(of: job).appending("bundle")
  }
  /// Where the record of its rounds is.
  nonisolated func runFolder(of job: String) -> FilePath { folder(of: job).appending("run") }

  /// Sees whether a job that has arrived may run.
  ///
  /// - Throws: What keeps it from being noted.
  nonisolated func examine(_ id: String) async throws {
    let verdict: JobState
    do {
      try await bring(id)
      let bundle = try JobBundle(contentsOf: bundleFolder(of: id))
      let submitter = try bundle.verify(
        knowing: kit.participants,
        revocations: revocations.list
      )
      try policy.decide(.submit, by: submitter).require()
      let job = try Job(
        receivedIn: bundleFolder(of: id),
        components: settings.components,
        by: "the server's"
      )
      if job.executor.runsPrograms { try policy.decide(.runExternal, by: submitter).require() }
      verdict = .approved
    } catch {
      // What keeps this server from noting anything is no fault of the job.
      if let fault = fault.withLock({ $0 }) { throw fault }
      verdict = .abandoned(reason: "\(error)")
    }
    do { try change(id) { $0.state = verdict } } catch {
      // Aborted meanwhile, or tried again when something happens.
      await examineLater(id)
      throw error
    }
  }

  private func examineLater(_ id: String) {
    unexamined.insert(id)
    event.yield(.lookLater)
  }

  private func examineAgain(_ id: String) async {
    guard unexamined.remove(id) != nil, (try? store.job(id))??.state == .submitted else { return }
    do {
      try await examine(id)
      lookAgain()
    } catch { trouble(id, error) }
  }

  /// Changes a job in the store, and tells those who watch.
  @discardableResult
  nonisolated func change(
    _ id: String,
    _ change: (inout JobRecord) throws -> Void
  ) throws -> JobRecord {
    // Noted within the transaction: what cannot be noted does not happen.
    let job = try noting {
      try store.update(id) { job in
        let before = job.state
        try change(&job)
        guard before != job.state, before.canBecome(job.state) else { return }
        // What could not be kept then is tried again, and was noted.
        guard unkept.withLock({ $0[id] }) != job.state else { return }
        try observe(.jobChanged(job))
        let state = job.state
        unkept.withLock { $0[id] = state }
      }
    }
    unkept.withLock { $0[id] = nil }
    watchers.tell(.changed(job), of: id)
    if job.state.isOver { watchers.end(id) }
    return job
  }

  /// Starts what can start.
  private func schedule(_ jobs: [JobRecord]) -> [String] {
    guard let sites = try? scheduledSites() else { return [] }
    let approved = Set(jobs.lazy.filter { $0.state == .approved }.map(\.id))
    waitingReasons = waitingReasons.filter { approved.contains($0.key) }
    var running = jobs.count { $0.state == .dispatched || $0.state == .running }
    var started: [String] = []
    let decisions = JobScheduler.decide(
      jobs: jobs,
      sites: sites,
      refusals: refusals
    )
    for decision in decisions {
      let id = decision.job
      do {
        switch decision.verdict {
        case .start(let sites):
          guard running < settings.jobsAtOnce else {
            wait(id, "waits for one of the \(running) jobs that run to end")
            continue
          }
          watchers.begin(id)
          try change(id) {
            $0.state = .dispatched
            $0.sites = sites.map { JobSite(name: $0, examples: 0) }
          }
          waitingReasons[id] = nil
          running += 1
          started.append(id)
        case .wait(let reason): wait(id, reason)
        case .abandon(let reason):
          try change(id) { $0.state = .abandoned(reason: reason) }
          waitingReasons[id] = nil
        }
      } catch {
        trouble(id, error)
      }
    }
    return started
  }

  /// Says what went wrong; what goes wrong at each look, ever more rarely.
  private func trouble(_ id: String, _ error: any Error) {
    if WriteFailure.isOne(error) { event.yield(.lookLater) }
    guard troubles.note("\(id) \(error)") != nil else { return }
    try? observe(.trouble(job: id, "\(error)"))
  }

  private func wait(_ id: String, _ reason: String) {
    guard waitingReasons[id] != reason else { return }
    waitingReasons[id] = reason
    let away = (try? store.job(id)).flatMap { $0 }.map { self.away(for: $0) } ?? []
    try? observe(.jobWaits(job: id, reason: reason))
    watchers.tell(.waiting(reason: reason, away: away), of: id)
  }

  /// Notes which sites do not want a job, and why, by their names.
  func note(_ reasons: [String: String], of job: String) {
    refusals[job, default: [:]].merge(reasons) { $1 }
    for (site, reason) in reasons.sorted(by: { $0.key < $1.key }) {
      watchers.tell(.declined(site: site, reason: reason), of: job)
    }
  }

  /// Keeps with a job which sites do not want it: why a site did not take part is asked when it is over.
  func keep(_ reasons: [String: String], of job: String) {
    guard !reasons.isEmpty else { return }
    // It is no reason for it not to go on.
    do { try change(job) { $0.declined.merge(reasons) { $1 } } } catch { trouble(job, error) }
  }
}
