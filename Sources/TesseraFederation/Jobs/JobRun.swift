internal import Foundation
internal import SystemPackage
internal import TesseraCore
internal import TesseraData
internal import TesseraNN
public import TesseraRun

/// A job with its data, simulated on this machine.
///
///     let run = try JobRun(Job(contentsOf: "jobs/fashion"))
///     let record = try RunRecord.create(at: "runs/fashion", run.newManifest())
///     let manifest = try await run.run(in: record)
///
/// The rounds, filters and aggregation are those of a deployment; only the transport is another.
public struct JobRun: Experiment {
  /// The job with the sites that the data make.
  public let plan: PlannedJob
  /// The data of all sites.
  public let data: JobData
  /// How many threads compute; has no influence on results.
  public let lanes: Int
  private let pool: LanePool
  private let executor: any Executor

  /// What is done, with the noise that its budget needs where the files ask for that.
  public var job: Job { plan.job }
  private var key: RandomKey { plan.key }

  /// Reads a job's data, and sees whether the job fits them.
  ///
  /// - Parameters:
  ///   - job: What is to be done.
  ///   - lanes: How many threads compute; all cores if `nil`.
  ///   - progress: Is called while single images are read, with how many are read and how many there are.
  /// - Throws: `ConfigurationError` with file and line if files of the data are missing or damaged, or the job does not fit its
  ///   data; `DataError` and ``FederationError`` in the place of it for jobs that were read from no file.
  public init(
    _ job: Job,
    lanes: Int? = nil,
    progress: (_ read: Int, _ of: Int) -> Void = { _, _ in }
  ) throws {
    self.lanes = lanes ?? ProcessInfo.processInfo.activeProcessorCount
    pool = LanePool(lanes: self.lanes)
    let data = try Self.data(of: job, key: RandomKey(seed: job.seed)["partition"], progress)
    self.data = data
    try Site.check(data.sites)
    try job.check(against: data)
    let format: ImageFormat? = if case .images(let images) = data { images.format } else { nil }
    let plan = try job.locating("executor") {
      try PlannedJob(job, sites: data.sites, images: format)
    }
    self.plan = plan
    executor = try job.locating("executor") { try plan.job.executor.make(plan.resources(data)) }
  }

  private static func data(
    of job: Job,
    key: RandomKey,
    _ progress: (_ read: Int, _ of: Int) -> Void
  ) throws -> JobData {
    if job.executor.data == .files, let files = job.data.files { return .files(files) }
    switch job.data.source {
    case .divided(let folder, let partition, let examples):
      let sites = job.sites ?? 1
      do {
        return .images(
          try JobImages(
            dividing: folder,
            by: partition,
            among: sites,
            examples: examples,
            key: key,
            progress: progress
          )
        )
      } catch let error as DataError where error.code == .invalidArgument {
        throw job.located(error, at: "sites")
      } catch let error as DataError {
        throw job.located(error, inDataAt: "images")
      } catch let error as FederationError {
        throw job.located(error, inDataAt: "examples")
      }
    case .images(let folders, let test):
      do {
        return .images(try JobImages(of: folders, test: test, progress: progress))
      } catch let error as DataError {
        throw job.located(error, inDataAt: "sites")
      }
    case .tables(let tables):
      do {
        return .tables(try sites(of: tables))
      } catch let error as FederationError {
        throw job.located(error, inDataAt: "tables")
      }
    case .folders: return .files(job.data.files ?? [])
    case .none, .atSites:
      throw FederationError(code: .invalidConfiguration, message: "the job has no data")
    }
  }

  private static func sites(
    of tables: [(site: String, file: FilePath)]
  ) throws -> [(site: Site, file: CSVFile)] {
    try tables.enumerated().map { index, table in
      let file = try CSVFile(contentsOf: table.file)
      var rows = 0
      try file.forEachRow { _, _ in rows += 1 }
      return (Site(index: index, name: table.site, exampleCount: max(rows, 1)), file)
    }
  }

  /// The first contents of `run.json`.
  public func newManifest() throws -> RunManifest {
    var manifest = RunManifest(
      kind: "federation",
      configuration: job.files.reduce(
        into: ["name": job.name, "lanes": "\(lanes)", "folder": job.base.string].merging(
          job.privacyNotes
        ) { $1 }
      ) { $0[$1.name] = $1.json },
      seed: job.seed,
      versions: Versions.current,
      started: Date().ISO8601Format()
    )
    if let target = job.targetAccuracy { manifest.configuration["target accuracy"] = "\(target)" }
    manifest.sites = data.sites.map {
      RunManifest.Site(name: $0.name, examples: $0.exampleCount, labelCounts: [])
    }
    if case .images(let images) = data {
      manifest.classNames = images.train.classNames
      manifest.datasets = try images.datasets(in: "/")
      // Of very many sites nobody looks at each.
      if images.sites.count <= 1000 {
        for (index, indices) in images.partition.enumerated() {
          manifest.sites[index].labelCounts = images.train.labelCounts(of: indices)
        }
      }
    }
    if case .tables = data, case .tables(let files) = job.data.source {
      manifest.datasets = try files.map { site, file in
        RunManifest.Dataset(
          name: site,
          examples: data.sites.first { $0.name == site }?.exampleCount ?? 0,
          files: 1,
          digest: try Digest.sha256(ofFile: file)
        )
      }
    }
    if case .files(let files) = data {
      manifest.datasets = try files.map { site in
        let found = try FolderFiles.digest(of: site.path)
        return RunManifest.Dataset(
          name: site.site.name,
          examples: site.site.exampleCount,
          files: found.count,
          digest: found.digest
        )
      }
      if job.executor.runsPrograms, !job.base.isEmpty {
        manifest.programs = try FolderFiles.programs(in: job.base, without: files.map(\.path))
      }
    }
    manifest.trainings = [.init(name: job.name, title: job.name)]
    manifest.initialModel = try Digest.sha256(of: initialState()).model
    return manifest
  }

  /// The names of the model's tensors.
  public func tensorNames() throws -> [String] { try initialState().names }

  func initialState() throws -> ModelState { try plan.initialState() }

  /// What the job will have spent by its end, at most; `nil` if it has no budget.
  ///
  /// - Throws: As ``PlannedJob/privacyPlan()``.
  public func privacyPlan() throws -> PrivacyPlan? { try plan.privacyPlan() }

  /// Runs, or goes on with, the job.
  public func run(
    in record: RunRecord,
    to limit: ExperimentLimit?,
    observe: @escaping @Sendable (ExperimentEvent) -> Void,
    checkRound: (RunManifest) throws -> Void
  ) async throws -> RunManifest {
    let run = try OpenRun(record)
    if run.manifest.status == .finished { return run.manifest }
    return try await run.finishing {
      let training = try training(in: record, through: limit.map { $0.rounds[job.name] ?? 0 })
      observe(.trainingStarted(name: job.name, title: job.name))
      let state: WorkflowState
      do {
        state = try await training.run(in: run) { event in
          if let event = ExperimentEvent(event, passes: job.executor.passes) { observe(event) }
        } finishRound: { entry in
          observe(.roundFinished(entry))
          try checkRound(run.manifest)
        }
      } catch {
        await executor.close()
        throw error
      }
      await executor.close()
      let digest = try record.write(state, of: training, in: run.manifest)
      let manifest = try run.save { manifest in
        manifest.trainings[0].modelDigest = digest
        if let accuracy = manifest.trainings[0].rounds.last?.accuracy {
          manifest.results = [.init(name: job.name, accuracy: accuracy)]
        }
        manifest.finished = Date().ISO8601Format()
        manifest.status = .finished
      }
      training.clear(record)
      // Sites that remember nothing leave nothing.
      rmdir(record.folder.appending("sites").string)
      return manifest
    }
  }

  private func training(in record: RunRecord, through lastRound: Int?) throws -> RecordedTraining {
    let memories = try FolderSiteMemories(in: record.folder.appending("sites"))
    let encryption =
      job.isEncrypted
      ? try SimulatedEncryption(
        examples: data.sites.reduce(0) { $0 + $1.exampleCount },
        key: key["encryption"]
      ) : nil
    let secrets = try job.secrets(in: record, key: key["secrets"])
    let ledgers: any PrivacyLedgerStore =
      job.sitesSpendPrivacy && job.privacy != nil
      ? try FilePrivacyLedgers(at: record.folder.appending(Job.ledgerFileName))
      : VolatilePrivacyLedgers()
    let identities =
      job.workflow.isSecurelyAggregated
      ? try SiteIdentity.simulated(for: data.sites, key: key["identities"]) : [:]
    var place = SitePlace(memories: memories, ledgers: ledgers, secrets: secrets)
    place.logs = record.folder.appending("trainers")
    place.encryption = encryption?.encrypt
    place.identities = identities
    let worker = try plan.worker(executor, at: place)
    var federation = plan.federation(
      over: InProcessTransport(sites: data.sites, worker: worker, pool: pool),
      secrets: secrets
    )
    federation.encryption = encryption?.context
    if !identities.isEmpty {
      federation.identities = identities.mapValues(\.publicKey)
    }
    let open = SimulatedEncryption.reader(encryption)
    federation.lastRound = lastRound
    if case .images(let images) = data, let test = images.test {
      federation.evaluate = plan.evaluation(on: test, pool: pool, open: open)
    }
    var recorded = RecordedTraining(
      name: job.name,
      federation: federation,
      initial: WorkflowState(model: try initialState())
    )
    recorded.passes = job.executor.passes
    recorded.memories = memories
    recorded.open = open
    if let budget = job.privacy {
      let sites = SitesSpending(data.sites, ledgers: ledgers, budget: budget)
      recorded.epsilon = { state in
        var spent = try sites.epsilon()
        spent["job"] = try state.privacyLedger()?.spent()
        return spent
      }
    }
    return recorded
  }
}
