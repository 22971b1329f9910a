public import SystemPackage
public import TesseraConfiguration
public import TesseraCore
public import TesseraData
public import TesseraNN

/// The components that a job's files can name.
///
/// Those of ``standard`` are Tessera's. A program adds its own before it reads a job:
///
///     var components = JobComponents.standard
///     components.filters.register("halving") { _ in Halving() }
///     let job = try Job(contentsOf: "jobs/mine", components: components)
public struct JobComponents: Sendable {
  /// Orders of things; a job can name `best-model`, too, which is made of any of them that trains.
  public var workflows: Registry<any Workflow>
  /// Ways to make one update of several.
  public var rules: Registry<any AggregationRule>
  /// What moves the global model.
  public var serverOptimizers: Registry<any ServerOptimizer>
  /// What sites train from where, and answer.
  public var algorithms: Registry<any SiteAlgorithm>
  /// Changes to what travels.
  public var filters: Registry<any Filter>
  /// What sites do.
  public var executors: Registry<ExecutorRecipe>
  /// Networks.
  public var networks: Registry<NetworkRecipe>
  /// Ways to divide data among simulated sites.
  public var partitions: Registry<any Partition>

  /// What sites can be asked to do: the tasks that a filter's argument `tasks` can name.
  public var tasks: Set<TaskName> = [
    .train, .evaluate, .submitModel, .initialize, .statistics, .aggregate,
  ]

  /// What of Tessera's own names other components, and is made anew of those that there are when a job is read: so that
  /// `fedavg` can name a rule that was registered after it.
  var dependent: [@Sendable (inout JobComponents) -> Void] = []

  /// The components as they are when a job is read.
  var whole: JobComponents {
    var components = self
    for renew in dependent { renew(&components) }
    return components
  }

  /// All of them with their arguments, kind by kind: what a reference of jobs is made of.
  public var descriptions: [ComponentDescription] { whole.ownDescriptions }

  private var ownDescriptions: [ComponentDescription] {
    workflowsOfJobs.descriptions + rules.descriptions + serverOptimizers.descriptions
      + executors.descriptions + algorithms.descriptions + networks.descriptions
      + filtersOfTasks.descriptions + partitions.descriptions
  }

  /// No components at all.
  public init() {
    workflows = Registry(of: "workflow")
    rules = Registry(of: "aggregation rule")
    serverOptimizers = Registry(of: "server optimizer")
    algorithms = Registry(of: "algorithm")
    filters = Registry(of: "filter")
    executors = Registry(of: "executor")
    networks = Registry(of: "model")
    partitions = Registry(of: "partition")
  }
}

/// How a network for some images is made.
public struct NetworkRecipe: Sendable {
  /// Makes one with its first random weights.
  public var make: @Sendable (_ images: ImageFormat, Generator) throws -> any Layer

  /// A recipe.
  public init(make: @escaping @Sendable (_ images: ImageFormat, Generator) throws -> any Layer) {
    self.make = make
  }
}

/// What images are like.
public struct ImageFormat: Sendable, Hashable, Codable {
  /// Their channels.
  public var channels: Int
  /// Their height and width.
  public var size: Int
  /// How many classes they have.
  public var classes: Int

  /// What some images are like.
  public init(channels: Int, size: Int, classes: Int) {
    self.channels = channels
    self.size = size
    self.classes = classes
  }
}

/// How an executor for a job's data is made.
public struct ExecutorRecipe: Sendable {
  /// What kind of data an executor works on.
  public enum Data: String, Sendable, Hashable {
    /// Images with classes.
    case images
    /// Tables.
    case tables
    /// Files of each site, whatever they hold: the executor reads them itself.
    case files
  }

  /// Makes one for all sites of a simulation.
  public var make: @Sendable (JobResources) throws -> any Executor
  /// How often it uses each example in a round.
  public var passes: Int
  /// Whether it makes its answers private itself, and charges the site for it.
  public var spendsPrivacy: Bool
  /// What it can be asked to do; anything if `nil`.
  public var tasks: Set<TaskName>?
  /// The data that it needs; any, or none, if `nil`.
  public var data: Data?
  /// Whether it needs a model.
  public var needsModel = false
  /// Whether it starts programs of the job's own, which a site's policy may forbid.
  public var runsPrograms = false
  /// The site's part of an algorithm whose server's part is a workflow of its own.
  public var algorithm: (any SiteAlgorithm)?
  /// The share of each site's examples that it holds out, if the job says one.
  public var holdout: Double?
  /// Private SGD, if it trains by it.
  public var privateSGD: PrivateSGD?
  /// The names of sites that it lets attack.
  public var attackers: Set<String> = []
  /// What one task of training costs a site, if the executor makes its answers private itself.
  public var plannedEvents: @Sendable (Site, JobResources) throws -> [PrivacyEvent]

  /// A recipe.
  public init(
    passes: Int = 1,
    spendsPrivacy: Bool = false,
    plannedEvents: @escaping @Sendable (Site, JobResources) throws -> [PrivacyEvent] = { _, _ in []
    },
    make: @escaping @Sendable (JobResources) throws -> any Executor
  ) {
    self.passes = passes
    self.spendsPrivacy = spendsPrivacy
    self.plannedEvents = plannedEvents
    self.make = make
  }
}

/// What a job's executor works with.
public struct JobResources: Sendable {
  /// All sites of the job, at their indices.
  public var sites: [Site]
  /// The data of those sites that this process is the place of; of other sites there are none in it.
  public var data: JobData?
  /// The network, if the job has one.
  public var network: NetworkRecipe?
  /// What will be asked.
  public var workflow: any Workflow
  /// Seeds what the executor draws before it is asked anything.
  public var key: RandomKey
  /// The job's name.
  public var job = ""
  /// The job's folder.
  public var folder: FilePath = "."
  /// The GPUs that programs of the job may use, by the numbers that CUDA gives them; whatever the machine has if `nil`.
  public var gpus: [Int]?

  /// How many rounds there are at most.
  public var rounds: Int { workflow.rounds }
  /// How often a site is asked to train, at most.
  public var trainings: Int { workflow.trainingsPerSite }
  /// How much privacy each site may spend, if that is counted.
  public var budget: PrivacyBudget?
}
