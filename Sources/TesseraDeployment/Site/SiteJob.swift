internal import Crypto
internal import Foundation
internal import Synchronization
internal import SystemPackage
internal import TesseraFederation
internal import TesseraProvisioning

/// One job at a site: its folder, and what works at its tasks.
///
/// What must outlive the process lies in the folder: the signed job, the roster, the site's memory, the secret of its noise. A
/// site that was killed finds it there when the next task comes.
final class SiteJob: Sendable {
  private struct State: Sendable {
    /// Of the signed folder: the folder itself is on the disk.
    let digest: String
    var job: Job
    var data: LocalData
    var roster: JobRoster?
    var worker: SiteWorker?
    var memories: FolderSiteMemories?
    /// What was asked for, of this process.
    var tasks = TaskHistory()
  }

  /// The site's, all of whose jobs share it.
  struct Surroundings: Sendable {
    let kit: StartupKit
    let revocations: SharedRevocations
    let policy: SitePolicy
    let settings: SiteSettings
    let gpus: GPUPool
    let components: JobComponents
    let ledgers: any PrivacyLedgerStore
    let failed: @Sendable (_ job: String, SiteTask, any Error) -> Void
    let decided: @Sendable (_ job: String, SiteTask, SiteDecision) throws -> Void
  }

  let id: String
  /// Who submitted it.
  let submitter: Person
  private let folder: FilePath
  private let place: Surroundings
  /// The GPUs that it has, as long as anything of it works.
  private let gpus: GPUPool.Share
  private let state: Mutex<State>

  /// A job that has arrived, after all that the site's policy says of it.
  ///
  /// - Throws: ``DeploymentError`` if the policy, the signature or the data forbid it; `ConfigurationError` if the job is wrong.
  init(_ id: String, _ bundle: JobBundle, in folder: FilePath, at place: Surroundings) throws {
    submitter = try bundle.verify(
      knowing: place.kit.participants,
      revocations: place.revocations.list
    )
    try place.policy.decide(.submit, by: submitter).require()
    try bundle.unpack(into: folder)
    let (job, data) = try Self.read(folder, submitter, at: place)
    gpus = try place.gpus.take(job.deployment.gpus, for: id)
    self.id = id
    self.folder = folder
    self.place = place
    state = Mutex(State(digest: bundle.digest, job: job, data: data))
  }

  /// A job that an earlier process has left.
  ///
  /// - Throws: As ``init(_:_:in:at:)``: the policy may have changed.
  convenience init(_ id: String, keptIn folder: FilePath, at place: Surroundings) throws {
    try self.init(id, try JobBundle(contentsOf: folder), in: folder, at: place)
  }

  private static func read(
    _ folder: FilePath,
    _ submitter: Person,
    at place: Surroundings
  ) throws -> (Job, LocalData) {
    let job = try Job(
      receivedIn: folder,
      components: place.components,
      by: "this site's"
    )
    if job.executor.runsPrograms {
      try place.policy.decide(.runExternal, by: submitter).require()
    }
    return (job, try LocalData(place.settings.source(for: job)))
  }

  /// What the site brings into the job.
  ///
  /// A digest tells whether somebody has the very same files: a site that counts what it tells of its data does not give it.
  ///
  /// - Parameter progress: Is called while files are digested.
  /// - Returns: The offer.
  /// - Throws: `CancellationError` if the current task was cancelled.
  func offer(progress: () -> Void) throws -> SiteOffer {
    let data = state.withLock { $0.data }
    guard place.policy.budget == nil else { return data.offer }
    return try data.digestedOffer {
      progress()
      try Task.checkCancellation()
    }
  }

  /// Whether the job is the one of this folder.
  func isSame(as bundle: JobBundle) -> Bool {
    state.withLock { $0.digest == bundle.digest }
  }

  /// Makes ready for the first round, or goes on with the same sites.
  ///
  /// - Throws: `ConfigurationError` or `FederationError` if the job does not fit the sites.
  func begin(_ roster: JobRoster) throws {
    try state.withLock { state in
      if state.roster == roster, state.worker != nil { return }
      (state.worker, state.memories) = try worker(for: state, roster)
      state.roster = roster
      try JSONFile.write(roster, to: rosterFile)
    }
  }

  /// What works at the job's tasks.
  ///
  /// - Throws: ``DeploymentError`` with code ``DeploymentError/Code/notFound`` if the job has not begun here.
  func worker() throws -> SiteWorker {
    try state.withLock { state in
      if let worker = state.worker { return worker }
      guard let roster = try JSONFile.read(JobRoster.self, from: rosterFile) else {
        throw DeploymentError(code: .notFound, message: "job \(id) has not begun here")
      }
      let (made, memories) = try worker(for: state, roster)
      state.roster = roster
      (state.worker, state.memories) = (made, memories)
      return made
    }
  }

  /// Refuses a task that is meant for another site: data, budget and keys are those of this one alone.
  ///
  /// - Throws: ``DeploymentError`` with code ``DeploymentError/Code/notAllowed``.
  func require(own task: SiteTask) throws {
    let roster = state.withLock { $0.roster }
    guard let sites = roster?.sites, sites.indices.contains(task.site.index),
      sites[task.site.index] == task.site, task.site.name == place.kit.participant.name
    else {
      throw DeploymentError(
        code: .notAllowed,
        message:
          "a task of job \(id) is for another site, or for this one as it is not on the job's list"
      )
    }
  }

  /// Removes what of the site's memory no task can ask for any more, by ``TaskHistory``.
  func settle(before task: SiteTask) {
    state.withLock { state in
      guard let memories = state.memories else { return }
      state.tasks.settle(before: task, in: memories)
    }
  }

  /// Ends the programs of a job that is over, and waits until they are gone.
  ///
  /// - Parameter isAborted: Whether somebody has ended it before its time, so that they make it short.
  func end(isAborted: Bool) async {
    guard let worker = state.withLock({ $0.worker }) else { return }
    await withTaskGroup(of: Void.self) { group in
      // Those who are told so by a task that is cancelled make it short.
      group.addTask { await worker.close() }
      if isAborted { group.cancelAll() }
    }
  }

  private var rosterFile: FilePath { folder.appending("roster.json") }

  /// Where what trainers say is kept, in a folder for each job: of the last hundred.
  static func trainerLogs(of kit: StartupKit) -> FilePath {
    kit.localFolder.appending("trainers")
  }

  private func worker(
    for state: State,
    _ roster: JobRoster
  ) throws -> (SiteWorker, FolderSiteMemories) {
    let kit = place.kit
    guard let index = roster.members.firstIndex(where: { $0.name == kit.participant.name }) else {
      throw DeploymentError(code: .notAllowed, message: "the site is not among those of job \(id)")
    }
    let memories = try FolderSiteMemories(in: folder.appending("memory"))
    var own = SitePlace(
      memories: memories,
      ledgers: place.ledgers,
      secrets: try .held(secret())
    )
    own.filters = place.policy.filters
    own.budget = place.policy.budget
    own.jobName = id
    // Who has asked for none sees none.
    own.gpus = gpus.devices
    // Where the site's people find it when the job is long gone.
    own.logs = Self.trainerLogs(of: place.kit).appending(id)
    if state.job.workflow.isSecurelyAggregated {
      own.identities = [index: try identity(among: roster)]
      own.policy = place.policy.secureAggregation
    }
    let (id, failed, decided) = (id, place.failed, place.decided)
    own.failed = { failed(id, $0, $1) }
    own.decided = { try decided(id, $0, $1) }
    let site = try JobAtSite(state.job, data: state.data, index: index, roster: roster, at: own)
    return (site.worker, memories)
  }

  /// What noise that protects comes from: kept, so that a task that is repeated is answered with the same bits.
  private func secret() throws -> HeldSecret {
    let file = folder.appending(NoiseOrigin.fileName)
    if let secret = try HeldSecret.read(at: file) { return secret }
    let secret = HeldSecret()
    try secret.write(to: file)
    return secret
  }

  /// The keys of the authority's list, which the server cannot swap.
  private func identity(among roster: JobRoster) throws -> SiteIdentity {
    var peers: [Int: Curve25519.Signing.PublicKey] = [:]
    for (index, member) in roster.members.enumerated() {
      peers[index] = try place.kit.participants.signingKey(of: member.name)
    }
    return SiteIdentity(
      privateKey: try Curve25519.Signing.PrivateKey(rawRepresentation: place.kit.signingKey()),
      peers: peers
    )
  }
}

extension ParticipantList {
  /// The key that a participant signs with.
  ///
  /// - Throws: ``DeploymentError`` with code ``DeploymentError/Code/notFound`` if there is no such participant.
  func signingKey(of name: String) throws -> Curve25519.Signing.PublicKey {
    guard let entry = self[name], let bytes = Data(base64Encoded: entry.signingKey),
      let key = try? Curve25519.Signing.PublicKey(rawRepresentation: bytes)
    else {
      throw DeploymentError(
        code: .notFound,
        message: "\(name) is not in the authority's list of participants"
      )
    }
    return key
  }
}
