internal import Foundation
internal import Synchronization
public import SystemPackage
public import TesseraFederation
public import TesseraProvisioning
internal import TesseraRun

/// A site's program: takes jobs, works at them, and forgets them when they are over; says what the site is, and does what those
/// may ask who operate it.
///
/// The site decides for itself: it checks who signed a job, and asks its own policy, before it looks at anything in it.
public final class SiteJobs: SiteTaskHandler {
  /// What happens, for the site's log and audit.
  public enum Event: Sendable {
    /// A job was taken.
    case accepted(job: String, by: Person)
    /// A job was refused.
    case refused(job: String, reason: String)
    /// A job begins, with so many sites.
    case began(job: String, sites: Int)
    /// A task has arrived.
    case given(job: String, SiteTask)
    /// What filters and the budget say of a task's answer.
    case decided(job: String, SiteTask, SiteDecision)
    /// A task is answered: this is about to leave.
    case answered(job: String, SiteTask, Parcel)
    /// A task was not answered; what kept the site from it is for its own log alone.
    case failed(job: String, SiteTask, any Error)
    /// A job is over.
    case forgotten(job: String)
    /// Somebody operates the site.
    case operated(String, by: Person, isAllowed: Bool)
    /// The server asks for an operation that nobody has signed, or that was done before.
    case operationRefused(reason: String)
  }

  /// The name under which a site is asked what belongs to no job.
  static let noJob = TaskID.noJob

  private let kit: StartupKit
  private let settings: SiteSettings
  private let folder: FilePath
  private let surroundings: SiteJob.Surroundings
  private let known = Mutex<[String: SiteJob]>([:])
  /// Which deployment has a job's folder: one that is withdrawn leaves the folder of its repetition alone.
  private let deployments = Mutex<[String: UUID]>([:])
  /// A job's folder is unpacked and read for one deployment at a time.
  ///
  /// Whoever ends a job does not wait for that.
  private let turns = Turns()
  private let taken: TakenJobs
  private let takenOperations: TakenOperations
  /// What somebody has asked the site to do, by the numbers of the tasks: it is done when the answer has arrived.
  private let operations = Mutex<[Int: SignedOperation]>([:])
  private let refusals: Refusals
  private let started = Date()
  private let observe: @Sendable (Event) throws -> Void
  private let operate: @Sendable (SiteOperation) -> Void

  /// A site's program.
  ///
  /// - Parameters:
  ///   - kit: The site's.
  ///   - folder: Where it keeps its jobs; `work` in the kit if `nil`.
  ///   - components: What jobs can name.
  ///   - observe: Is told what happens, before anything follows from it; throwing refuses it.
  ///   - operate: Does what somebody may ask.
  /// - Throws: `ConfigurationError` if the site's own files are wrong; ``DeploymentError`` or `RunError` if its folder or its
  ///   ledger cannot be used.
  public init(
    _ kit: StartupKit,
    in folder: FilePath? = nil,
    components: JobComponents = .standard,
    observe: @escaping @Sendable (Event) throws -> Void = { _ in },
    operate: @escaping @Sendable (SiteOperation) -> Void = { _ in }
  ) throws {
    self.kit = kit
    settings = try SiteSettings(of: kit)
    self.folder = folder ?? kit.folder.appending("work")
    self.observe = observe
    self.operate = operate
    let refusals = Refusals(observe)
    self.refusals = refusals
    let jobsFolder = self.folder.appending("jobs")
    do {
      try FileManager.default.createDirectory(
        atPath: jobsFolder.string,
        withIntermediateDirectories: true,
        attributes: [.posixPermissions: 0o700]
      )
    } catch {
      throw DeploymentError(code: .cannotWrite, message: "the folder \(jobsFolder) cannot be made")
    }
    // What a kill has left.
    for name in (try? FileManager.default.contentsOfDirectory(atPath: jobsFolder.string)) ?? []
    where name.hasPrefix(Self.gone) {
      try? FileManager.default.removeItem(atPath: jobsFolder.appending(name).string)
    }
    taken = try TakenJobs(at: self.folder.appending("jobs-taken.txt"))
    takenOperations = try TakenOperations(at: self.folder.appending("operations-taken.json"))
    surroundings = SiteJob.Surroundings(
      kit: kit,
      revocations: SharedRevocations(kit),
      policy: try SitePolicy(of: kit, components: components),
      settings: settings,
      gpus: GPUPool(settings.gpus),
      components: components,
      ledgers: try FilePrivacyLedgers(at: self.folder.appending("privacy-ledger.jsonl"))
    ) { job, task, error in
      refusals.say(.failed(job: job, task, error), "\(task.step) \(task.name)", of: job)
    } decided: { job, task, decision in
      try observe(.decided(job: job, task, decision))
    }
  }

  /// How many bytes the contents of all tasks may have together that the site has not done: the memory that it gives to jobs, and
  /// enough for a job's folder and a small model where that is little.
  public var largestContent: Int { max(settings.resources.memory, 1 << 30) }

  /// What prepares jobs reads data; what belongs to no job waits for nothing.
  public func computes(_ task: SiteTask, of job: String) -> Bool { job != Self.noJob }

  /// Carries out a task.
  public func answer(
    _ task: SiteTask,
    of job: String,
    progress: @escaping @Sendable () -> Void
  ) async throws -> Exchange {
    try await answer(task, of: job, progress: progress) { _ in }
  }

  /// Carries out a task, and tells what is measured on the way.
  public func answer(
    _ task: SiteTask,
    of job: String,
    progress: @escaping @Sendable () -> Void,
    measured: @escaping @Sendable (TaskMeasurements) -> Void
  ) async throws -> Exchange {
    do {
      if job == Self.noJob { return try answerForNoJob(task) }
      switch task.name {
      case .deploy: return try await deploy(task, as: job, progress)
      case .begin:
        return try refusing(task, of: job) {
          _ = try site(job)
          try observe(.given(job: job, task))
          return try begin(job, task.data)
        }
      default:
        let (known, worker) = try refusing(task, of: job) {
          let known = try site(job)
          let worker = try known.worker()
          try known.require(own: task)
          known.settle(before: task)
          // What is refused is told as that, and ever more rarely.
          try observe(.given(job: job, task))
          return (known, worker)
        }
        // The job is not over, and keeps its GPUs, before this is.
        defer { withExtendedLifetime(known) {} }
        // It tells itself what keeps it from answering.
        return try await worker.answer(task, progress: progress, measured: measured)
      }
    } catch let error as DeploymentError {
      throw FederationError(code: .badTask, message: error.message)
    }
  }

  /// Tells what keeps the site from a task before anything works at it.
  private func refusing<Value>(
    _ task: SiteTask,
    of job: String,
    _ body: () throws -> Value
  ) throws -> Value {
    do { return try body() } catch {
      refusals.say(.failed(job: job, task, error), "\(task.name)", of: job)
      throw error
    }
  }

  /// Notes what is about to leave; it stays if it cannot be noted.
  public func release(_ answer: Parcel, to task: SiteTask, of job: String) throws {
    guard job != Self.noJob else { return }
    try observe(.answered(job: job, task, answer))
  }

  /// Does what somebody has asked for, once that it will be done has arrived.
  public func settle(_ task: TaskID) {
    guard task.job == Self.noJob else { return }
    guard let signed = operations.withLock({ $0.removeValue(forKey: task.step) }) else { return }
    // A server that holds back that the answer has arrived does not choose when it is done.
    do { try TakenOperations.requireRecent(signed) } catch {
      refusals.say(.operationRefused(reason: "\(error)"), "operation")
      return
    }
    operate(signed.operation)
  }

  /// Forgets a job: its programs end, and its folder goes.
  public func forget(_ job: String, isAborted: Bool) async -> (@Sendable () async -> Void)? {
    deployments.withLock { $0[job] = nil }
    let known = known.withLock { $0.removeValue(forKey: job) }
    surroundings.gpus.ends(job)
    let gone = Self.isID(job) ? putAside(job) : nil
    refusals.forget(job)
    try? observe(.forgotten(job: job))
    let logs = SiteJob.trainerLogs(of: kit)
    let others = self.known.withLock { Set($0.keys) }
    return {
      await known?.end(isAborted: isAborted)
      if let gone { try? FileManager.default.removeItem(atPath: gone.string) }
      Self.removeOldest(in: logs, keeping: 100, and: others)
    }
  }

  /// Removes the folders that were changed longest ago, but for those of jobs that go on.
  private static func removeOldest(
    in folder: FilePath,
    keeping count: Int,
    and others: Set<String>
  ) {
    let manager = FileManager.default
    let names = (try? manager.contentsOfDirectory(atPath: folder.string)) ?? []
    guard names.count > count else { return }
    let dated = names.map { name in
      let path = folder.appending(name).string
      let changed = try? manager.attributesOfItem(atPath: path)[.modificationDate] as? Date
      return (path: path, changed: changed ?? .distantPast)
    }
    for old in dated.sorted(by: { $0.changed > $1.changed }).dropFirst(count)
    where !others.contains(FilePath(old.path).lastComponent?.string ?? "") {
      try? manager.removeItem(atPath: old.path)
    }
  }

  /// The jobs of which there is a folder.
  public var jobs: [String] {
    let names =
      (try? FileManager.default.contentsOfDirectory(atPath: folder.appending("jobs").string)) ?? []
    return names.filter(Self.isID).sorted()
  }

  /// What the folders of jobs are called that are over, until they are removed.
  private static let gone = ".gone-"

  /// How often a site says that it waits.
  private static let signOfLife = Duration.seconds(1)

  // MARK: Jobs

  private func folder(of job: String) -> FilePath {
    folder.appending("jobs").appending(job)
  }

  /// Whether a text can be a job's id, which is part of paths.
  static func isID(_ text: String) -> Bool {
    (1...100).contains(text.utf8.count) && text.first != "-"
      && text.utf8.allSatisfy {
        UInt8(ascii: "a")...UInt8(ascii: "z") ~= $0 || UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0
          || $0 == UInt8(ascii: "-")
      }
  }

  private func deploy(
    _ task: SiteTask,
    as id: String,
    _ progress: () -> Void
  ) async throws -> Exchange {
    guard Self.isID(id) else {
      throw DeploymentError(code: .invalidArgument, message: "a job cannot be called that")
    }
    let bundle = try JobBundle(task.data)
    let deployment = UUID()
    // A server that was killed, or did not hear the answer, sends it again.
    if let known = await turns.take(id, { try? site(id) }) {
      guard known.isSame(as: bundle) else {
        throw DeploymentError(code: .notAllowed, message: "another job is known as \(id) here")
      }
      deployments.withLock { $0[id] = deployment }
      try observe(.given(job: id, task))
      return try answer(known.offer(progress: progress))
    }
    try taken.take(bundle.digest, as: id)
    do {
      let job = try await job(id, bundle, of: deployment, progress)
      try observe(.given(job: id, task))
      try observe(.accepted(job: id, by: job.submitter))
      try deployments.withLock { deployments in
        guard deployments[id] == deployment else { throw CancellationError() }
        known.withLock { $0[id] = job }
      }
      return try answer(job.offer(progress: progress))
    } catch is CancellationError {
      // Nobody waits for it; it is as if it had never come.
      remove(id, of: deployment)
      throw CancellationError()
    } catch {
      remove(id, of: deployment)
      refusals.say(.refused(job: id, reason: "\(error)"), "\(error)")
      throw (error as? DeploymentError)
        ?? DeploymentError(code: .notAllowed, message: "\(error)")
    }
  }

  /// Removes what a deployment has made, also of a job that was ended meanwhile, unless another one has come for the same job.
  private func remove(_ id: String, of deployment: UUID) {
    let gone = deployments.withLock { deployments -> FilePath? in
      guard deployments[id] == deployment || deployments[id] == nil else { return nil }
      deployments[id] = nil
      known.withLock { $0[id] = nil }
      return putAside(id)
    }
    if let gone { try? FileManager.default.removeItem(atPath: gone.string) }
  }

  /// Moves a job's folder out of the way, at once: a job may come under the same name.
  ///
  /// - Returns: Where it is now, to be removed; `nil` if there was none.
  private func putAside(_ id: String) -> FilePath? {
    let place = folder.appending("jobs").appending("\(Self.gone)\(UUID().uuidString)")
    return rename(folder(of: id).string, place.string) == 0 ? place : nil
  }

  /// A job that has arrived, once there are GPUs for it that jobs have which are just ending.
  private func job(
    _ id: String,
    _ bundle: JobBundle,
    of deployment: UUID,
    _ progress: () -> Void
  ) async throws -> SiteJob {
    deployments.withLock { $0[id] = deployment }
    while true {
      do {
        return try await turns.take(id) {
          try Task.checkCancellation()
          // Another one may have come for the same job, or its end.
          guard deployments.withLock({ $0[id] == deployment }) else { throw CancellationError() }
          // Nothing that is not signed lies beside what is.
          try? FileManager.default.removeItem(atPath: folder(of: id).string)
          return try SiteJob(id, bundle, in: folder(of: id), at: surroundings)
        }
      } catch let busy as GPUPool.Busy {
        // Whoever prepares the job gives up a site that says nothing.
        while await !surroundings.gpus.waitForReturn(since: busy, atMost: Self.signOfLife) {
          try Task.checkCancellation()
          progress()
        }
      }
    }
  }

  private func begin(_ id: String, _ data: Exchange) throws -> Exchange {
    let roster = try JSONText.value(JobRoster.self, of: data.headers["roster"] ?? "")
    let job = try site(id)
    do { try job.begin(roster) } catch let error as DeploymentError { throw error } catch {
      throw DeploymentError(code: .notAllowed, message: "\(error)")
    }
    try observe(.began(job: id, sites: roster.members.count))
    return Exchange(.custom("ready"))
  }

  private func site(_ id: String) throws -> SiteJob {
    guard Self.isID(id) else {
      throw DeploymentError(code: .invalidArgument, message: "a job cannot be called that")
    }
    if let job = known.withLock({ $0[id] }) { return job }
    // The site was killed in the meantime.
    let kept = try SiteJob(id, keptIn: folder(of: id), at: surroundings)
    return known.withLock { jobs in
      if let job = jobs[id] { return job }
      jobs[id] = kept
      return kept
    }
  }

  private func answer(_ offer: SiteOffer) throws -> Exchange {
    Exchange(
      .custom("offer"),
      headers: [
        "offer": try JSONText.of(offer),
        "rights": try JSONText.of(RightsOverJobs(of: surroundings.policy)),
      ]
    )
  }

  // MARK: The site itself

  private func answerForNoJob(_ task: SiteTask) throws -> Exchange {
    // Another server counts anew: what the one before it asked for under this number is not what this one hears of.
    _ = operations.withLock { $0.removeValue(forKey: task.step) }
    switch task.name {
    case .describe:
      return Exchange(
        .custom("site"),
        headers: ["site": try JSONText.of(description())]
      )
    case .operate:
      let operation = try takeOperation(task.data.headers)
      operations.withLock { $0[task.step] = operation }
      return Exchange(.custom("done"))
    default:
      throw DeploymentError(
        code: .invalidArgument,
        message: "the site has no work of that name"
      )
    }
  }

  /// An operation that somebody has signed who may operate the site, and that was not done before.
  private func takeOperation(_ headers: [String: String]) throws -> SignedOperation {
    let (signed, person): (SignedOperation, Person)
    do {
      signed = try SignedOperation(
        text: Data((headers["operation"] ?? "").utf8),
        signature: Data(base64Encoded: headers["signature"] ?? "") ?? Data()
      )
      person = try signed.verify(
        at: kit.participant.name,
        knowing: kit.participants,
        revocations: surroundings.revocations.list
      )
      // What was signed long ago is nobody's wish now.
      try TakenOperations.requireRecent(signed)
    } catch {
      refusals.say(.operationRefused(reason: "\(error)"), "operation")
      throw error
    }
    let decision = surroundings.policy.decide(.operate, by: person)
    if decision.isAllowed {
      do { try takenOperations.take(signed) } catch {
        refusals.say(.operationRefused(reason: "\(error)"), "operation")
        throw error
      }
    }
    let operated = Event.operated(
      signed.operation.name,
      by: person,
      isAllowed: decision.isAllowed
    )
    // Refused ones are not remembered, and may be asked for again and again.
    if decision.isAllowed {
      try observe(operated)
    } else {
      refusals.say(operated, "operation of \(person.name)")
    }
    try decision.require()
    return signed
  }

  /// What the site says of itself.
  public func description() -> SiteDescription {
    let attributes = try? FileManager.default.attributesOfFileSystem(forPath: folder.string)
    return SiteDescription(
      name: kit.participant.name,
      organisation: kit.participant.organisation,
      version: Versions.current["tessera"] ?? "",
      resources: settings.resources,
      data: [
        "images": settings.images.keys.sorted(), "tables": settings.tables.keys.sorted(),
        "folders": settings.folders.keys.sorted(),
      ].filter { !$0.value.isEmpty },
      jobs: jobs,
      freeDisk: (attributes?[.systemFreeSize] as? NSNumber)?.intValue ?? 0,
      started: started,
      certificateEnds: kit.expires,
      time: Date(),
      rights: RightsOverJobs(of: surroundings.policy)
    )
  }
}
