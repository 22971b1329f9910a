public import SystemPackage
internal import TesseraCore
internal import TesseraData
internal import TesseraNN

/// A job whose sites are known: what its server and its sites have in common, and what each of them makes of it.
///
/// In a simulation one process makes both sides; in a deployment the server makes the one, and each site its own, of the same
/// files and the same list of sites, so that both come to the same.
public struct PlannedJob: Sendable {
  /// What is done, with the noise that its budget needs where the files ask for that.
  public private(set) var job: Job
  /// All sites, at their indices.
  public let sites: [Site]
  /// What the sites' images are like, if they have images.
  public let images: ImageFormat?
  let key: RandomKey

  /// A job with its sites.
  ///
  /// - Parameters:
  ///   - job: What is to be done.
  ///   - sites: Who takes part, at their indices.
  ///   - images: What the sites' images are like, if they have images.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration`` if the sites cannot be such, or
  ///   the noise that is asked for cannot be found; with ``FederationError/Code/budgetExhausted`` if none is enough.
  public init(_ job: Job, sites: [Site], images: ImageFormat?) throws {
    try Site.check(sites)
    self.job = job
    self.sites = sites
    self.images = images
    key = RandomKey(seed: job.seed)
    self.job = try calibratedJob()
  }

  /// The model before the first round; without tensors if the job has no network.
  func initialState() throws -> ModelState {
    guard let network = job.network, let images else { return .empty }
    return try network.make(images, Generator(key: key["weights"])).state()
  }

  /// What the executor works with.
  ///
  /// - Parameter data: Those of the sites of this process; `nil` where there are none.
  /// - Returns: The executor's surroundings.
  func resources(_ data: JobData? = nil) -> JobResources {
    var resources = JobResources(
      sites: sites,
      data: data,
      network: job.network,
      workflow: job.workflow,
      key: key["executor"]
    )
    resources.budget = job.privacy
    resources.job = job.name
    resources.folder = job.base
    return resources
  }

  /// The server's side, but for what only the place where it runs can say: keys of others, and a measure of models.
  ///
  /// - Parameters:
  ///   - transport: The way to the sites.
  ///   - secrets: Where the server's secrets come from.
  /// - Returns: The federation.
  func federation(over transport: any Transport, secrets: SecretSource) -> Federation {
    var federation = Federation(
      workflow: job.workflow,
      transport: transport,
      key: key["federated"]
    )
    federation.secrets = secrets.derived("server")
    federation.budget = job.serverSpendsPrivacy ? job.privacy : nil
    federation.quorum = job.quorum
    federation.filters = job.serverFilters
    federation.targetAccuracy = job.targetAccuracy
    return federation
  }

  /// Measures global models on images of the server's own.
  ///
  /// - Parameters:
  ///   - test: What to measure on.
  ///   - pool: Where.
  ///   - open: Reads a global model, which may be encrypted.
  /// - Returns: `nil` if there is no network.
  func evaluation(
    on test: LabelledImages,
    pool: LanePool,
    open: @escaping @Sendable (Exchange) throws -> ModelState
  ) -> (@Sendable (Exchange) async throws -> Evaluation)? {
    guard let network = job.network, let images else { return nil }
    let training = ClassifierTraining(
      dataset: test,
      batchSize: 1,
      learningRate: .constant(0.1)
    ) { try network.make(images, $0) }
    return { try await training.evaluation(of: open($0), on: test, pool: pool) }
  }

  /// The side of the sites of this process.
  ///
  /// - Parameters:
  ///   - executor: Does their work, as ``ExecutorRecipe/make`` has made it.
  ///   - place: What the sites bring along.
  /// - Returns: What works at the sites' tasks.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration`` if the settings do not fit the sites.
  func worker(_ executor: any Executor, at place: SitePlace) throws -> SiteWorker {
    let isCounted = job.sitesSpendPrivacy || place.budget != nil
    let demanded = try job.sitePolicy(for: initialState(), sites: sites)
    let policy = place.policy.map { demanded.stricter(and: $0) } ?? demanded
    return SiteWorker(
      // Sites aggregate, too, if a workflow asks them to.
      executor: SwarmSite(executor, sites: sites),
      filters: job.siteFilters.followed(by: place.filters),
      memories: place.memories,
      encryption: place.encryption,
      secrets: place.secrets.derived("sites"),
      policy: policy,
      trainsForSumsAlone: job.workflow.trainsForSumsAlone,
      identities: place.identities,
      budget: isCounted ? Self.smaller(job.privacy, place.budget) : nil,
      ledgers: place.ledgers,
      job: place.jobName ?? job.name,
      logs: place.logs,
      failed: place.failed,
      decided: place.decided
    )
  }

  /// Of a job's budget and a site's own, what holds.
  private static func smaller(_ job: PrivacyBudget?, _ own: PrivacyBudget?) -> PrivacyBudget? {
    guard let job, let own else { return job ?? own }
    return own.epsilon < job.epsilon ? own : job
  }
}

/// What a process brings along for the sites that it is the place of.
public struct SitePlace: Sendable {
  /// Where sites keep what they must remember.
  public var memories: any SiteMemoryStore
  /// Filters of the sites' own, which no job can remove: they come after the job's.
  public var filters = SiteFilters()
  /// How much privacy each site may spend, whatever a job says.
  public var budget: PrivacyBudget?
  /// What each site has released, in all jobs.
  public var ledgers: any PrivacyLedgerStore
  /// What the sites demand of secure aggregation themselves, beside what the job says that they demand.
  public var policy: SecureAggregationPolicy?
  /// Who the sites are, by their indices, for signed secure aggregation.
  public var identities: [Int: SiteIdentity] = [:]
  /// Where the sites' secrets come from.
  public var secrets: SecretSource
  /// Encrypts models after all filters.
  public var encryption: EncryptModel?
  /// The name under which the job's releases stand in the ledgers, if it is not the job's own.
  public var jobName: String?
  /// Where programs that the executor starts leave what they say, for the sites' own people; nowhere if `nil`.
  public var logs: FilePath?
  /// The GPUs that programs of the job may use, by the numbers that CUDA gives them; whatever the machine has if `nil`.
  public var gpus: [Int]?
  /// Is told what kept a site from answering, for its own log.
  public var failed: @Sendable (SiteTask, any Error) -> Void = { _, _ in }
  /// Is told what a site's filters and budget decide, before an answer leaves; throwing keeps it.
  public var decided: @Sendable (SiteTask, SiteDecision) throws -> Void = { _, _ in }

  /// A place.
  public init(
    memories: any SiteMemoryStore,
    ledgers: any PrivacyLedgerStore,
    secrets: SecretSource
  ) {
    self.memories = memories
    self.ledgers = ledgers
    self.secrets = secrets
  }
}
