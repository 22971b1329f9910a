internal import Foundation
public import SystemPackage
internal import TesseraConfiguration

/// What a job folder says: `job.yml`, what is to be done, and `data.yml`, where the data are.
///
///     name: fashion
///     workflow: {type: fedavg, rounds: 10}
///     model: image-classifier
///     executor: {type: classifier, epochs: 1}
///     sites: 8
///     minimum_sites: 6
///
/// No key runs code: components are looked up by name, and their arguments are typed.
public struct Job: Sendable {
  /// What the job is called; its files are named after it.
  public var name: String
  /// What all random numbers derive from.
  public var seed: UInt64
  /// The order of things.
  public var workflow: any Workflow
  /// The network, if there is a model.
  public var network: NetworkRecipe?
  /// What the sites do.
  public var executor: ExecutorRecipe
  /// How many sites the data are divided among, if the data do not say themselves.
  public var sites: Int?
  /// Which answers tasks need.
  public var quorum: Quorum
  /// The server's filters.
  public var serverFilters: ServerFilters
  /// The sites' filters.
  public var siteFilters: SiteFilters
  /// Whether the server adds what it cannot read.
  public var isEncrypted: Bool
  /// What each site demands of secure aggregation.
  public var sitePolicy: SecureAggregationPolicy
  /// The run ends when the global model's accuracy is this good.
  public var targetAccuracy: Double?
  /// How much privacy each site may spend, and the job where the server adds the noise; not counted if `nil`.
  public var privacy: PrivacyBudget?
  /// Where noise that protects comes from.
  public var noise = NoiseOrigin.seed
  /// The secret of an earlier run of the job that is gone on with or repeated.
  public var secret: HeldSecret?
  /// Where the data are.
  public var data: DataMapping
  /// The files themselves, and what they say as JSON, for the record.
  public var files: [JobFile]
  /// What paths in `data.yml` are relative to.
  public var base: FilePath

  /// Reads a job folder.
  ///
  /// - Parameters:
  ///   - folder: Holds `job.yml` and `data.yml`.
  ///   - base: What paths in `data.yml` are relative to; the folder if `nil`.
  ///   - components: What the files can name.
  /// - Throws: ``ConfigurationError`` with file, line and the nearest known name of everything that is wrong.
  public init(
    contentsOf folder: FilePath,
    relativeTo base: FilePath? = nil,
    components: JobComponents = .standard
  ) throws {
    let jobFile = try ConfigurationFile(contentsOf: folder.appending("job.yml"))
    let dataFile = try ConfigurationFile(contentsOf: folder.appending("data.yml"))
    self = try jobFile.decode { try Job($0, components: components) }
    let absolute = FilePath(FileManager.default.currentDirectoryPath)
      .pushing(base ?? folder).lexicallyNormalized()
    self.base = absolute
    data = try dataFile.decode {
      try DataMapping($0, relativeTo: absolute, components: components)
    }
    files = try [("job.yml", jobFile), ("data.yml", dataFile)].map { name, file in
      JobFile(name: name, json: file.json, text: try JobFile.text(of: file.path))
    }
  }

  private init(_ job: Mapping, components: JobComponents) throws {
    name = try job.required("name", .jobName)
    seed = UInt64(try job.optional("seed", Schema<Int>.integer(in: 0...(1 << 53)), default: 1))
    let one = try job.optional("workflow", .component(from: components.workflows))
    let several = try job.optional(
      "workflows",
      .list(of: .component(from: components.workflows), count: 1...)
    )
    switch (one, several) {
    case (let one?, nil): workflow = one
    case (nil, let several?): workflow = try WorkflowChain(several)
    default: throw job.error(at: "workflow", "must have exactly one of 'workflow' and 'workflows'")
    }
    network = try job.optional("model", .component(from: components.networks))
    executor = try job.required("executor", .component(from: components.executors))
    sites = try job.optional("sites", .integer(in: 1...1_000_000))
    quorum = Quorum(
      minimum: try job.optional("minimum_sites", .integer(in: 1...1_000_000), default: 1),
      mandatory: Set(try job.optional("mandatory_sites", .list(of: .text), default: [])),
      waitAfterMinimum: try job.optional("wait_after_minimum", .seconds),
      patience: try job.optional("patience", .seconds)
    )
    if let sites, quorum.minimum > sites {
      throw job.error(at: "minimum_sites", "must not be more than the \(sites) sites")
    }
    let tasks = components.tasks
    let filter = Schema.list(
      of: .component(
        from: components.filters.changed { filter, arguments in
          try arguments.optional("tasks", .list(of: .taskName(among: tasks), count: 1...))
            .map { filter.limited(to: .only(Set($0))) } ?? filter
        }
      )
    )
    let filters = try job.optional(
      "filters",
      .mapping { filters in
        try (
          server: filters.optional(
            "server",
            .mapping { side in
              try ServerFilters(
                tasks: side.optional("tasks", filter, default: []),
                results: side.optional("results", filter, default: [])
              )
            },
            default: ServerFilters()
          ),
          site: filters.optional(
            "site",
            .mapping { side in
              try SiteFilters(
                tasks: side.optional("tasks", filter, default: []),
                results: side.optional("results", filter, default: [])
              )
            },
            default: SiteFilters()
          )
        )
      },
      default: (server: ServerFilters(), site: SiteFilters())
    )
    serverFilters = filters.server
    siteFilters = filters.site
    isEncrypted =
      try job.optional("encryption", .choice(of: ["ckks": true, "none": false])) ?? false
    sitePolicy = try job.optional("site_policy", .sitePolicy, default: SecureAggregationPolicy())
    targetAccuracy = try job.optional("target_accuracy", .number(in: 0.01...1))
    data = DataMapping(source: .none)
    files = []
    base = ""
    try checkProtection(job)
    if let settings = try job.optional("privacy", .privacy) {
      (privacy, noise) = settings
      do {
        try checkPrivacy()
      } catch let error as FederationError {
        throw job.error(at: "privacy", error.message)
      }
    }
  }
}

/// A file of a job, for the record.
public struct JobFile: Sendable, Hashable {
  /// What it is called.
  public var name: String
  /// What it says.
  public var json: String
  /// How it says it.
  public var text: String

  static func text(of path: FilePath) throws -> String {
    guard let data = FileManager.default.contents(atPath: path.string) else {
      throw FederationError(code: .invalidConfiguration, message: "\(path) cannot be read")
    }
    return String(decoding: data, as: UTF8.self)
  }
}

extension Schema where Value == String {
  /// A name that can be part of a file's.
  fileprivate static var jobName: Schema {
    text.map { name in
      let isPlain = name.utf8.allSatisfy { byte in
        UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte
          || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte || byte == UInt8(ascii: "-")
      }
      guard isPlain, (1...64).contains(name.utf8.count), name.first != "-" else {
        throw FederationError(
          code: .invalidConfiguration,
          message: "must be of 1 to 64 small letters, digits and dashes"
        )
      }
      return name
    }
  }
}

extension Schema where Value == TaskName {
  /// The name of one of these tasks.
  fileprivate static func taskName(among tasks: Set<TaskName>) -> Schema {
    Schema<String>.text.map { name in
      let task = TaskName(name)
      guard tasks.contains(task) else {
        let known = tasks.map { "'\($0)'" }.sorted().joined(separator: ", ")
        throw FederationError(code: .invalidConfiguration, message: "must be one of \(known)")
      }
      return task
    }
  }
}

extension Schema where Value == Duration {
  /// A number of seconds.
  fileprivate static var seconds: Schema {
    Schema<Double>.number(in: 0.001...31_536_000).map { .seconds($0) }
  }
}

extension Schema where Value == (PrivacyBudget, NoiseOrigin) {
  /// An ε, a δ, who counts, and where noise comes from.
  fileprivate static var privacy: Schema {
    .mapping { settings in
      try (
        PrivacyBudget(
          epsilon: settings.required("epsilon", .number),
          delta: settings.required("delta", .number),
          accountant: settings.optional("accountant", .choice, default: .rdp)
        ),
        settings.optional("noise", .choice, default: .seed)
      )
    }
  }
}
