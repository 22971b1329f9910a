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
  /// What is done.
  ///
  /// With the noise that its budget needs, where the files ask for that.
  public private(set) var job: Job
  /// The data of all sites.
  public let data: JobData
  /// How many threads compute; has no influence on results.
  public let lanes: Int
  private let pool: LanePool
  private let key: RandomKey

  private let executor: any Executor

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
    self.job = job
    self.lanes = lanes ?? ProcessInfo.processInfo.activeProcessorCount
    pool = LanePool(lanes: self.lanes)
    key = RandomKey(seed: job.seed)
    data = try Self.data(of: job, key: key["partition"], progress)
    try Site.check(data.sites)
    try job.check(against: data)
    executor = try job.locating("executor") { [data, key] in
      try job.executor.make(Self.resources(of: job, data, key: key))
    }
    self.job = try calibratedJob()
  }

  private static func data(
    of job: Job,
    key: RandomKey,
    _ progress: (_ read: Int, _ of: Int) -> Void
  ) throws -> JobData {
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
    case .none:
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

  private static func resources(of job: Job, _ data: JobData, key: RandomKey) -> JobResources {
    var resources = JobResources(
      data: data,
      network: job.network,
      workflow: job.workflow,
      key: key["executor"]
    )
    resources.budget = job.privacy
    return resources
  }

  var resources: JobResources { Self.resources(of: job, data, key: key) }

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
    if case .tables(let files) = job.data.source {
      manifest.datasets = try files.map { site, file in
        RunManifest.Dataset(
          name: site,
          examples: data.sites.first { $0.name == site }?.exampleCount ?? 0,
          files: 1,
          digest: try Digest.sha256(ofFile: file)
        )
      }
    }
    manifest.trainings = [.init(name: job.name, title: job.name)]
    manifest.initialModel = try Digest.sha256(of: initialState()).model
    return manifest
  }

  /// The names of the model's tensors.
  public func tensorNames() throws -> [String] { try initialState().names }

  func initialState() throws -> ModelState {
    guard let network = job.network, case .images(let images) = data else { return .empty }
    return try network.make(images.format, Generator(key: key["weights"])).state()
  }

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
      let state = try await training.run(in: run) { event in
        if let event = ExperimentEvent(event, passes: job.executor.passes) { observe(event) }
      } finishRound: { entry in
        observe(.roundFinished(entry))
        try checkRound(run.manifest)
      }
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
    let worker = SiteWorker(
      // Sites aggregate, too, if a workflow asks them to.
      executor: SwarmSite(executor, sites: data.sites),
      filters: job.siteFilters,
      memories: memories,
      encryption: encryption?.encrypt,
      secrets: secrets.derived("sites"),
      policy: try job.sitePolicy(for: initialState(), sites: data.sites),
      identities: identities,
      budget: job.sitesSpendPrivacy ? job.privacy : nil,
      ledgers: ledgers,
      job: job.name
    )
    var federation = Federation(
      workflow: job.workflow,
      transport: InProcessTransport(sites: data.sites, worker: worker, pool: pool),
      key: key["federated"]
    )
    federation.encryption = encryption?.context
    federation.secrets = secrets.derived("server")
    federation.budget = job.serverSpendsPrivacy ? job.privacy : nil
    if !identities.isEmpty {
      federation.identities = identities.mapValues(\.publicKey)
    }
    let open = SimulatedEncryption.reader(encryption)
    federation.quorum = job.quorum
    federation.filters = job.serverFilters
    federation.targetAccuracy = job.targetAccuracy
    federation.lastRound = lastRound
    if let network = job.network, case .images(let images) = data, let test = images.test {
      let format = images.format
      let pool = pool
      let training = ClassifierTraining(
        dataset: images.train,
        batchSize: 1,
        learningRate: .constant(0.1)
      ) { try network.make(format, $0) }
      federation.evaluate = {
        try await training.evaluation(of: open($0), on: test, pool: pool)
      }
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
