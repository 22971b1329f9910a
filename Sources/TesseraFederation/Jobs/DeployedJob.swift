public import Crypto
internal import Foundation
internal import TesseraCore
public import TesseraData
public import TesseraRun

/// The server's side of a job whose sites are elsewhere.
///
/// The rounds, filters, aggregation and the record are those of a simulation (``JobRun``); the data are at the sites.
public struct DeployedJob: Sendable {
  /// The job with its sites.
  public let plan: PlannedJob
  /// The keys that sites sign with in secure aggregation, by their indices.
  public var signingKeys: [Int: Curve25519.Signing.PublicKey]
  /// Images of the server's own, that global models are measured on.
  public var test: LabelledImages?
  /// Where the server computes.
  private let pool: LanePool
  /// What sites have said of their files.
  private let datasets: [RunManifest.Dataset]

  /// A job with its sites.
  ///
  /// - Parameters:
  ///   - job: What is to be done.
  ///   - roster: Who takes part.
  ///   - signingKeys: The keys that sites sign with in secure aggregation, by their indices.
  ///   - test: Images of the server's own, that global models are measured on.
  ///   - pool: Where the server computes.
  /// - Throws: As ``PlannedJob/init(_:sites:images:)``; ``FederationError`` with code
  ///   ``FederationError/Code/invalidConfiguration`` if the sites' data differ in kind, or the job needs what is not there.
  public init(
    _ job: Job,
    roster: JobRoster,
    signingKeys: [Int: Curve25519.Signing.PublicKey] = [:],
    test: LabelledImages? = nil,
    pool: LanePool
  ) throws {
    var job = job
    job.workflow = job.workflow.inDeployment
    plan = try PlannedJob(job, sites: roster.sites, images: roster.images())
    datasets = roster.members.compactMap { member in
      member.offer.files.map {
        RunManifest.Dataset(
          name: member.name,
          examples: member.offer.examples,
          files: $0.count,
          digest: $0.digest
        )
      }
    }
    self.signingKeys = signingKeys
    self.test = test
    self.pool = pool
    guard !job.isEncrypted else {
      throw FederationError(
        code: .invalidConfiguration,
        message:
          "encryption: the sites of a deployment have no common key; secure_aggregation hides updates from the server"
      )
    }
    guard job.targetAccuracy == nil || test != nil else {
      throw FederationError(
        code: .invalidConfiguration,
        message: "target_accuracy: the server has no images to measure the global model on"
      )
    }
  }

  /// The first contents of `run.json`.
  ///
  /// - Parameters:
  ///   - id: The job's at its server.
  ///   - files: The digests of the files of its folder, by their places, if sites start programs of it.
  /// - Returns: The manifest.
  /// - Throws: `TensorError` if the first model cannot be made.
  public func newManifest(id: String, files: [String: String] = [:]) throws -> RunManifest {
    let job = plan.job
    var manifest = RunManifest(
      kind: "federation",
      configuration: job.files.reduce(
        into: ["name": job.name, "job": id].merging(job.privacyNotes) { $1 }
      ) { $0[$1.name] = $1.json },
      seed: job.seed,
      versions: Versions.current,
      started: Date().ISO8601Format()
    )
    if let target = job.targetAccuracy { manifest.configuration["target accuracy"] = "\(target)" }
    manifest.sites = plan.sites.map {
      RunManifest.Site(name: $0.name, examples: $0.exampleCount, labelCounts: [])
    }
    manifest.datasets = datasets
    if job.executor.runsPrograms {
      manifest.programs = files.filter { !FolderFiles.settings.contains($0.key) }
    }
    manifest.trainings = [.init(name: job.name, title: job.name)]
    manifest.initialModel = try Digest.sha256(of: plan.initialState()).model
    return manifest
  }

  /// Runs, or goes on with, the job.
  ///
  /// - Parameters:
  ///   - record: Where to save; a new record, or that of the same job that was interrupted.
  ///   - transport: The way to the sites.
  ///   - observe: Is told what happens, from any thread.
  ///   - resumed: Is told the rounds that an earlier process has done, before anything else.
  ///   - didSave: Is called whenever there is something new on the disk that a process which goes on needs, before anything follows
  ///     from it: when the run begins, within rounds of many tasks, and after each round; throwing ends the run.
  ///   - finishRound: Is called after each round, when it is saved; throwing ends the run.
  ///   - journal: Is told each event before anything follows from it, from any thread; throwing ends the run.
  ///   - decided: Is told what the server's filters and the job's budget decide, before anything follows from it, from any thread;
  ///     throwing ends the run.
  ///   - willSave: Is called when a round is done, before it is saved; throwing ends the run.
  /// - Returns: The finished manifest, which is saved too.
  /// - Throws: What keeps it from going on; `CancellationError` if the task was cancelled. The record then says so.
  public func run(
    in record: RunRecord,
    over transport: any Transport,
    observe: @escaping @Sendable (FederationEvent) -> Void = { _ in },
    resumed: ([RunManifest.Round]) -> Void = { _ in },
    didSave: @escaping @Sendable () throws -> Void = {},
    finishRound: (RunManifest.Round) throws -> Void = { _ in },
    journal: @escaping @Sendable (JournalEvent) throws -> Void = { _ in },
    decided: @escaping @Sendable (ServerDecision) throws -> Void = { _ in },
    willSave: (_ round: Int) throws -> Void = { _ in }
  ) async throws -> RunManifest {
    let run = try OpenRun(record)
    resumed(run.manifest.trainings.first?.rounds ?? [])
    if run.manifest.status == .finished { return run.manifest }
    return try await run.finishing {
      var training = try training(in: record, over: transport, decided)
      training.didSave = didSave
      let state = try await training.run(
        in: run,
        observe: observe,
        finishRound: finishRound,
        journal: journal,
        willSave: willSave
      )
      let digest = try record.write(state, of: training, in: run.manifest)
      let manifest = try run.save { manifest in
        manifest.trainings[0].modelDigest = digest
        if let accuracy = manifest.trainings[0].rounds.last?.accuracy {
          manifest.results = [.init(name: plan.job.name, accuracy: accuracy)]
        }
        manifest.finished = Date().ISO8601Format()
        manifest.status = .finished
      }
      training.clear(record)
      return manifest
    }
  }

  private func training(
    in record: RunRecord,
    over transport: any Transport,
    _ decided: @escaping @Sendable (ServerDecision) throws -> Void
  ) throws -> RecordedTraining {
    let job = plan.job
    let secrets = try job.secrets(in: record, key: plan.key["secrets"])
    var federation = plan.federation(over: transport, secrets: secrets)
    federation.decided = decided
    if job.workflow.isSecurelyAggregated {
      for site in plan.sites where signingKeys[site.index] == nil {
        throw FederationError(
          code: .invalidConfiguration,
          message: "secure_aggregation: nobody knows the signing key of \(site.name)"
        )
      }
      federation.identities = signingKeys
    }
    if let test {
      federation.evaluate = plan.evaluation(on: test, pool: pool) { $0.tensors }
    }
    var recorded = RecordedTraining(
      name: job.name,
      federation: federation,
      initial: WorkflowState(model: try plan.initialState())
    )
    recorded.passes = job.executor.passes
    if job.privacy != nil {
      // What a site has spent, its own ledger says.
      recorded.epsilon = { state in
        try state.privacyLedger().map { ["job": try $0.spent()] } ?? [:]
      }
    }
    return recorded
  }
}
