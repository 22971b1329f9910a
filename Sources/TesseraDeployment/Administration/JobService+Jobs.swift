internal import Foundation
internal import Synchronization
public import SystemPackage
internal import TesseraFederation
internal import TesseraProvisioning
internal import TesseraRun

/// What users ask of a server about jobs. Each call asks the server's policy first, and notes who asked for what.
extension JobService {
  /// Takes a job.
  ///
  /// - Parameters:
  ///   - bundle: Its folder, signed by the one who hands it in.
  ///   - person: Who hands it in, by the certificate.
  ///   - original: The job that it is a copy of, if it is one.
  /// - Returns: The job, which is on disk, with what it waits for.
  /// - Throws: ``DeploymentError`` if it is refused; `ConfigurationError` with all that is wrong with its `job.yml`.
  public nonisolated func submit(
    _ bundle: JobBundle,
    by person: Person,
    cloning original: String? = nil
  ) async throws -> ListedJob {
    if let original {
      _ = try job(original, for: .clone, by: person)
      try requireHandingIn(by: person)
    } else {
      try require(.submit, "submit \(bundle.name)", by: person)
    }
    let submitter = try bundle.verify(knowing: kit.participants, revocations: revocations.list)
    guard submitter == person else {
      throw DeploymentError(
        code: .notAllowed,
        message: "\(person.name) hands in a job that \(submitter.name) has signed"
      )
    }
    let id = try newID(for: bundle.name)
    let place = folder(of: id)
    do {
      try bundle.unpack(into: bundleFolder(of: id))
      let job = try Job(
        receivedIn: bundleFolder(of: id),
        components: settings.components,
        by: "the server's"
      )
      guard job.name == bundle.name else {
        throw DeploymentError(
          code: .invalidArgument,
          message: "job.yml says \(job.name), and was signed as \(bundle.name)"
        )
      }
      let record = JobRecord(
        id: id,
        name: job.name,
        submitter: person,
        submitted: Date(),
        requirements: JobRequirements(of: job),
        digest: bundle.digest,
        clonedFrom: original
      )
      try replicate(id)
      try observe(.jobChanged(record))
      try noting { try store.add(record) }
      _ = current.withLock { $0.insert(id) }
    } catch {
      try? FileManager.default.removeItem(atPath: place.string)
      throw error
    }
    // The job is taken: what keeps its verdict from being noted passes, and it is looked at again then.
    do { try await examine(id) } catch { if fault.withLock({ $0 != nil }) { throw error } }
    lookAgain()
    return await listed(try known(id))
  }

  /// Refuses who can hand in no jobs, and so no copies of any, before anything is read of what they send.
  ///
  /// - Throws: ``DeploymentError`` with code ``DeploymentError/Code/notAllowed``.
  public nonisolated func requireHandingIn(by person: Person) throws {
    let decision = policy.decide(.submit, by: person)
    guard !decision.isAllowed else { return }
    try observe(.asked("submit", by: person, decision))
    try decision.require()
  }

  /// An id that no job has had here.
  private nonisolated func newID(for name: String) throws -> String {
    var id = ""
    repeat {
      let number = UInt32.random(in: 0..<1 << 24)
      let digits = String(number, radix: 16)
      id = "\(name)-" + String(repeating: "0", count: 6 - digits.count) + digits
    } while try store.job(id) != nil
      || FileManager.default.fileExists(atPath: folder(of: id).string)
    return id
  }

  /// How many jobs are told at once, unless fewer are asked for.
  public static let largestPage = 1000

  /// The jobs that a person may see, the newest first.
  ///
  /// - Parameters:
  ///   - person: Who asks.
  ///   - submitter: Of this person alone, if given.
  ///   - state: In this state alone, by its name, if given.
  ///   - limit: How many; at most ``largestPage``.
  ///   - last: Those that are older than this one, to go on with a list; from the newest on if `nil`.
  /// - Returns: The jobs.
  /// - Throws: ``DeploymentError``; with code ``DeploymentError/Code/notFound`` if there is no such last one.
  public nonisolated func jobs(
    for person: Person,
    of submitter: String? = nil,
    in state: String? = nil,
    limit: Int = largestPage,
    before last: String? = nil
  ) async throws -> [ListedJob] {
    let all = try store.jobs()
    var rest = all.reversed()[...]
    if let last {
      // Who may not see a job is not told either whether there is one.
      guard let place = rest.firstIndex(where: { $0.id == last }),
        decide(.view, by: person, on: rest[place]).isAllowed
      else { throw DeploymentError.noJob(last) }
      rest = rest[rest.index(after: place)...]
    }
    let page = rest.lazy.filter {
      (submitter == nil || $0.submitter.name == submitter)
        && (state == nil || $0.state.name == state)
        && self.allows(.view, by: person, on: $0)
    }.prefix(max(0, min(limit, Self.largestPage)))
    return await listed(Array(page))
  }

  /// What is known of a job.
  public nonisolated func show(_ id: String, for person: Person) async throws -> JobDetails {
    let job = try job(id, for: .view, by: person, isNoted: false)
    var details = JobDetails(job: job)
    let listed = await listed(job)
    (details.job, details.waiting, details.away) = (listed.job, listed.waiting, listed.away)
    details.declined = job.declined
    details.rounds = await rounds(of: id)
    details.rights = Right.allCases.filter { allows($0, by: person, on: job) }
    return details
  }

  private nonisolated func rounds(of id: String) async -> [JobEvent.RoundSummary] {
    guard (try? await fetch(id)) != nil,
      let record = try? RunRecord.open(at: runFolder(of: id)),
      let manifest = try? record.manifest(), let training = manifest.trainings.first
    else { return [] }
    let job = try? Job(
      receivedIn: bundleFolder(of: id),
      components: settings.components,
      by: "the server's"
    )
    let planned = max(job?.workflow.rounds ?? 0, training.rounds.count)
    return training.rounds.map { JobEvent.RoundSummary($0, of: planned) }
  }

  /// What happens to a job, after what has happened.
  ///
  /// - Returns: Events, to the end of the job.
  public nonisolated func watch(
    _ id: String,
    for person: Person
  ) async throws -> NewsFeed {
    _ = try job(id, for: .view, by: person, isNoted: false)
    // First of all: whatever the job becomes after what is read below is told.
    let events = watchers.watch(id)
    let job = try known(id)
    var first = [JobEvent.changed(job)]
    let listed = await listed(job)
    if job.state == .approved, let reason = listed.waiting {
      first.append(.waiting(reason: reason, away: listed.away))
    }
    if let reason = pauses.withLock({ $0[id] }) { first.append(.waiting(reason: reason, away: [])) }
    guard job.state.isOver else {
      events.source.begin(with: first.map { JobNews($0) })
      return events
    }
    let story = await rounds(of: id).map { JobEvent.roundFinished($0) } + first
    return NewsFeed(story.map { JobNews($0, at: job.ended ?? Date()) })
  }

  /// Refuses to go on telling a person of a job whose sites, known since it began, do not let the person see it.
  ///
  /// - Throws: ``DeploymentError`` with code ``DeploymentError/Code/notFound``, as for who may not see it from the start.
  public nonisolated func requireView(after news: JobNews, for person: Person) throws {
    guard case .changed(let job) = news.event else { return }
    let decision = decide(.view, by: person, on: job)
    guard !decision.isAllowed else { return }
    try observe(.asked("view \(job.id)", by: person, decision))
    throw DeploymentError.noJob(job.id)
  }

  /// Ends a job.
  ///
  /// - Returns: The job, which is over.
  /// - Throws: ``DeploymentError`` with code ``DeploymentError/Code/notAllowed`` if it was over before.
  public func abort(_ id: String, by person: Person) async throws -> JobRecord {
    // A site can leave a job, and not keep others in it.
    let job = try job(id, for: .manage, by: person) { _ in false }
    guard !job.state.isOver else {
      throw DeploymentError(
        code: .notAllowed,
        message: "job \(id) is over: it is \(job.state.name)"
      )
    }
    guard job.state == .dispatched || job.state == .running else {
      return try change(id) {
        $0.state = .finished(.aborted(by: person.name))
        $0.ended = Date()
      }
    }
    let events = watchers.watch(id)
    guard let now = try store.job(id), !now.state.isOver else {
      throw DeploymentError(
        code: .notAllowed,
        message: "job \(id) is over: it has just ended"
      )
    }
    aborted[id] = person.name
    stops[id]?.finish()
    for await event in events {
      // It is stopped, and that it is over cannot be written down.
      guard case .waiting = event.event, let reason = pauses.withLock({ $0[id] }) else { continue }
      throw DeploymentError(
        code: .cannotWrite,
        message:
          "job \(id) is stopped, and is noted as aborted once the server can write: \(reason)"
      )
    }
    let ended = try known(id)
    guard ended.state.isOver else {
      throw DeploymentError(
        code: .unavailable,
        message: "the server ends before job \(id) does: ask for it again"
      )
    }
    return ended
  }

  /// Removes a job that is over, with all that it has made.
  ///
  /// A project admin and whoever has submitted it need no more for it than the server's policy: what a site says of a job holds as long
  /// as the job is kept, and must not keep it for ever.
  public nonisolated func delete(_ id: String, by person: Person) async throws {
    let job = try job(id, for: .manage, by: person) {
      person.role != .projectAdmin && person.name != $0.submitter.name
    }
    guard job.state.isOver else {
      throw DeploymentError(
        code: .notAllowed,
        message: "job \(id) is \(job.state.name): abort it before it is deleted"
      )
    }
    try noting {
      try store.remove(id)
      try replica?.remove(id)
    }
    _ = current.withLock { $0.remove(id) }
    try? observe(.jobDeleted(job: id))
    try? FileManager.default.removeItem(atPath: folder(of: id).string)
  }

  /// The signed folder of a job, for those who may clone it.
  public nonisolated func bundle(of id: String, for person: Person) async throws -> JobBundle {
    _ = try job(id, for: .clone, by: person)
    try await fetch(id)
    return try JobBundle(contentsOf: bundleFolder(of: id))
  }

  /// What a job has made: reading it holds nobody up who asks for something else.
  public nonisolated func results(
    of id: String,
    for person: Person
  ) async throws -> JobResults {
    let job = try job(id, for: .download, by: person)
    try await fetch(id)
    return JobResults(in: runFolder(of: job.id))
  }

  /// Where a file lies that a job has made.
  ///
  /// - Parameters:
  ///   - path: The file, from the job's record on.
  ///   - id: The job.
  ///   - person: Who wants to have it.
  ///   - isRest: Whether this goes on with a download; it is noted all the same, unless its beginning was.
  /// - Returns: Its place on the disk.
  /// - Throws: ``DeploymentError``.
  public nonisolated func file(
    _ path: String,
    of id: String,
    for person: Person,
    isRest: Bool = false
  ) async throws -> FilePath {
    let isNoted = downloads.withLock { $0.contains("\(person.name) \(id)/\(path)") }
    let job = try job(
      id,
      for: .download,
      by: person,
      isNoted: !isRest || !isNoted,
      "\(id)/\(path)"
    )
    downloads.withLock { downloads in
      // Forgotten, they are noted once more.
      if downloads.count >= 10_000 { downloads = [] }
      downloads.insert("\(person.name) \(id)/\(path)")
    }
    try await fetch(id)
    return try JobResults(in: runFolder(of: job.id)).place(of: path)
  }

  /// Where a job's log lies.
  public nonisolated func logFile(of id: String, for person: Person) throws -> FilePath {
    let job = try job(id, for: .view, by: person, isNoted: false)
    return folder(of: job.id).appending(Self.logName)
  }

  /// What a job's log is called.
  public static let logName = "log.jsonl"

  // MARK: Rights

  /// A job, if a person may do something with it.
  ///
  /// - Parameters:
  ///   - id: The job's.
  ///   - right: What the person wants to do.
  ///   - person: Who.
  ///   - isNoted: Whether it is noted that it was allowed.
  ///   - target: What it is about, for the log; the job if `nil`.
  ///   - asksSites: Whether the sites of the job have a say.
  /// - Returns: The job.
  /// - Throws: ``DeploymentError`` if there is none, or the person may not.
  private nonisolated func job(
    _ id: String,
    for right: Right,
    by person: Person,
    isNoted: Bool = true,
    _ target: String? = nil,
    asksSites: (JobRecord) -> Bool = { _ in true }
  ) throws -> JobRecord {
    func decide(_ right: Right, by person: Person, on job: JobRecord) -> PolicyDecision {
      asksSites(job)
        ? self.decide(right, by: person, on: job) : policy.decide(right, by: person, on: job)
    }
    let what = "\(right.rawValue) \(target ?? id)"
    let found = try store.job(id)
    // Who may not see a job is not told either whether there is one; the log is.
    guard let job = found, decide(.view, by: person, on: job).isAllowed else {
      if let found { try observe(.asked(what, by: person, decide(.view, by: person, on: found))) }
      throw DeploymentError(code: .notFound, message: "there is no job \(id)")
    }
    let decision = decide(right, by: person, on: job)
    if isNoted || !decision.isAllowed { try observe(.asked(what, by: person, decision)) }
    try decision.require()
    return job
  }

  /// Whether a person may do something with a job: by the policies of the server and of each site that takes part.
  nonisolated func decide(
    _ right: Right,
    by person: Person,
    on job: JobRecord
  ) -> PolicyDecision {
    let decision = policy.decide(right, by: person, on: job)
    guard decision.isAllowed, right.isAboutSubmissions else { return decision }
    for (name, rights) in job.siteRights.sorted(by: { $0.key < $1.key }) {
      // A site that has left the federation keeps its say.
      guard
        let site = kit.participants[name]?.participant
          ?? (try? Participant(name: name, kind: .site, organisation: name))
      else { return .refused(reason: "what \(name) says of job \(job.id) cannot be understood") }
      let decision = rights.decide(right, by: person, on: job, at: site)
      if !decision.isAllowed { return decision }
    }
    return decision
  }

  /// Whether a person may do something with a job, as ``decide(_:by:on:)``, where nobody is told why not.
  nonisolated func allows(_ right: Right, by person: Person, on job: JobRecord) -> Bool {
    guard policy.allows(right, by: person, on: job) else { return false }
    guard right.isAboutSubmissions else { return true }
    return job.siteRights.values.allSatisfy { $0.allows(right, by: person, on: job) }
  }

  /// Asks the policy for what is about no job.
  ///
  /// - Parameters:
  ///   - right: What one needs for it.
  ///   - what: What is asked for, for the log.
  ///   - person: Who asks.
  ///   - site: The site that it is about, if it is about one.
  /// - Throws: ``DeploymentError`` with code ``DeploymentError/Code/notAllowed``, and what keeps it from being noted.
  nonisolated func require(
    _ right: Right,
    _ what: String,
    by person: Person,
    at site: Participant? = nil
  ) throws {
    let decision = policy.decide(right, by: person, at: site)
    try observe(.asked(what, by: person, decision))
    try decision.require()
  }

  private nonisolated func known(_ id: String) throws -> JobRecord {
    guard let job = try store.job(id) else {
      throw DeploymentError(code: .notFound, message: "there is no job \(id)")
    }
    return job
  }
}

extension JobRequirements {
  /// What a job says that it needs.
  init(of job: Job) {
    let deployment = job.deployment
    self.init(
      resources: Resources(
        cores: deployment.cores,
        memory: deployment.memory,
        gpus: deployment.gpus
      ),
      minimumSites: job.quorum.minimum,
      mandatorySites: job.quorum.mandatory,
      sites: deployment.sites.map(Set.init),
      runsPrograms: job.executor.runsPrograms
    )
  }
}
