internal import Foundation
public import SystemPackage
public import TesseraConfiguration

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
  /// What a server of several machines has to know, before it sends the job to sites.
  public var deployment: JobDeployment
  /// Where the data are.
  public var data: DataMapping
  /// The files themselves, and what they say as JSON, for the record.
  public var files: [JobFile]
  /// What paths in `data.yml` are relative to.
  public var base: FilePath

  /// The files as they were read, to find places in them.
  var sources: (jobFile: ConfigurationFile, dataFile: ConfigurationFile)?

  /// Reads a job folder.
  ///
  /// - Parameters:
  ///   - folder: Holds `job.yml` and `data.yml`.
  ///   - base: What paths in `data.yml` are relative to; the folder if `nil`.
  ///   - components: What the files can name.
  /// - Throws: ``ConfigurationError`` with file, line and the nearest known name of everything that is wrong with the files:
  ///   keys, values, and what cannot work together (``JobRule``).
  public init(
    contentsOf folder: FilePath,
    relativeTo base: FilePath? = nil,
    components: JobComponents = .standard
  ) throws {
    let absolute = (base ?? folder).absolute
    var problems: [ConfigurationError.Problem] = []
    func read<Value>(
      _ name: String,
      _ body: (Mapping) throws -> Value
    ) -> (file: ConfigurationFile, value: Value)? {
      do {
        let file = try ConfigurationFile(contentsOf: folder.appending(name))
        let (value, found) = file.examine(body)
        problems += found
        return value.map { (file, $0) }
      } catch let error as ConfigurationError {
        problems += error.problems
      } catch {
        problems.append(
          .init(
            code: .unreadable,
            file: folder.appending(name),
            keyPath: "",
            message: "cannot be read: \(error)"
          )
        )
      }
      return nil
    }
    let jobPart = read("job.yml") { try Job($0, components: components) }
    let dataPart = read("data.yml") {
      try DataMapping($0, relativeTo: absolute, components: components)
    }
    guard let (jobFile, job) = jobPart, let (dataFile, mapping) = dataPart else {
      throw ConfigurationError(problems: problems).inOrder
    }
    self = job
    self.base = absolute
    data = mapping
    let terms = JobTerms(job: self, jobFile: jobFile, dataFile: dataFile, problems: problems)
    problems += JobRule.all.flatMap { $0.problems(in: terms) }
    guard problems.isEmpty else { throw ConfigurationError(problems: problems).inOrder }
    sources = (jobFile, dataFile)
    files = try [("job.yml", jobFile), ("data.yml", dataFile)].map { name, file in
      JobFile(name: name, json: file.json, text: try JobFile.text(of: file.path))
    }
  }

  /// Reads the folder of a job of a deployment: `job.yml` alone, since each site says itself where its data are.
  ///
  /// - Parameters:
  ///   - folder: Holds `job.yml`; a `data.yml`, which is for simulations, is not looked at.
  ///   - components: What the file can name.
  /// - Throws: As ``init(contentsOf:relativeTo:components:)``.
  public init(deployedFrom folder: FilePath, components: JobComponents = .standard) throws {
    let file = try ConfigurationFile(contentsOf: folder.appending("job.yml"))
    let (job, found) = file.examine { try Job($0, components: components) }
    guard let job else { throw ConfigurationError(problems: found).inOrder }
    self = job
    base = folder.absolute
    data = DataMapping(source: .atSites)
    let terms = JobTerms(job: self, jobFile: file, dataFile: file, problems: found)
    let problems = found + JobRule.all.flatMap { $0.problems(in: terms) }
    guard problems.isEmpty else { throw ConfigurationError(problems: problems).inOrder }
    sources = (file, file)
    files = [JobFile(name: "job.yml", json: file.json, text: try JobFile.text(of: file.path))]
  }

  /// The keys of `job.yml` and of `data.yml`.
  ///
  /// - Parameter components: What the files can name.
  /// - Returns: Each file with its keys, in the order in which they are read.
  public static func keys(
    components: JobComponents = .standard
  ) -> [(file: String, keys: [ArgumentDescription])] {
    [
      ("job.yml", .read(by: { _ = try Job($0, components: components) })),
      (
        "data.yml",
        .read(by: { _ = try DataMapping($0, relativeTo: "", components: components) })
      ),
    ]
  }

  private init(_ job: Mapping, components: JobComponents) throws {
    let components = components.whole
    name = try job.required("name", .jobName, help: "what the job and its files are called")
    seed = UInt64(
      try job.optional(
        "seed",
        Schema<Int>.integer(in: JobLimits.seed),
        default: 1,
        help: "what all random numbers derive from"
      )
    )
    let one = try job.optional(
      "workflow",
      .component(from: components.workflowsOfJobs),
      help: "the order of things"
    )
    let several = try job.optional(
      "workflows",
      .list(of: .component(from: components.workflowsOfJobs), count: 1...),
      help: "in place of `workflow`: one after the other, on the same model"
    )
    network = try job.optional(
      "model",
      .component(from: components.networks),
      help: "the network, if there is one"
    )
    executor = try job.required(
      "executor",
      .component(from: components.executors),
      help: "what sites do"
    )
    sites = try job.optional(
      "sites",
      .integer(in: 1...1_000_000),
      help: "how many simulated sites share the data; for `images` it must be given"
    )
    quorum = Quorum(
      minimum: try job.optional(
        "minimum_sites",
        .integer(in: 1...1_000_000),
        default: 1,
        help: "how many sites must give a usable answer"
      ),
      mandatory: Set(
        try job.optional(
          "mandatory_sites",
          .list(of: .text),
          default: [],
          help: "names of sites without whose answer no round is complete"
        )
      ),
      waitAfterMinimum: try job.optional(
        "wait_after_minimum",
        .seconds,
        help: "seconds that the others are still waited for; until all have answered if not given"
      ),
      patience: try job.optional(
        "patience",
        .seconds,
        help: "seconds that a site may say nothing; for ever if not given"
      )
    )
    let filter = Schema.list(of: .component(from: components.filtersOfTasks))
    let tasksHelp = "for tasks, in order"
    let resultsHelp = "for answers, in order"
    let filters = try job.section(
      "filters",
      help: "what changes exchanges on their way, side by side"
    ) { filters in
      try (
        server: filters.section("server", help: "those of the server") { side in
          try ServerFilters(
            tasks: side.optional("tasks", filter, default: [], help: tasksHelp),
            results: side.optional("results", filter, default: [], help: resultsHelp)
          )
        },
        site: filters.section("site", help: "those of each site") { side in
          try SiteFilters(
            tasks: side.optional("tasks", filter, default: [], help: tasksHelp),
            results: side.optional("results", filter, default: [], help: resultsHelp)
          )
        }
      )
    }
    serverFilters = filters.server
    siteFilters = filters.site
    isEncrypted = try job.optional(
      "encryption",
      .choice(of: ["none": false, "ckks": true]),
      default: false,
      help: "`ckks`: the server adds what it cannot read"
    )
    sitePolicy = try job.section(
      "site_policy",
      help: "what each site demands of secure aggregation before it takes part",
      SecureAggregationPolicy.init
    )
    targetAccuracy = try job.optional(
      "target_accuracy",
      .number(in: JobLimits.targetAccuracy),
      help: "the accuracy on the test data at which the run ends early"
    )
    let protection = try job.optional(
      "privacy",
      .privacy,
      help: "how much privacy each site may spend, or the job where the server adds the noise"
    )
    deployment = try job.section(
      "deployment",
      help: "what the server of a deployment has to know; a simulation does not ask",
      JobDeployment.init
    )
    privacy = protection?.0
    if let protection { noise = protection.1 }
    data = DataMapping(source: .none)
    files = []
    base = ""
    switch (one, several) {
    case (let one?, nil): workflow = one
    case (nil, let several?): workflow = try WorkflowChain(several)
    default:
      // What was found wrong with one of them says enough.
      if job.contains("workflow") == job.contains("workflows") {
        job.report(at: "workflow", "must have exactly one of 'workflow' and 'workflows'")
      }
      workflow = InitialWeights()
    }
  }
}

extension Job {
  /// Whether a text can be a job's name, which is part of paths: 1 to 64 small letters, digits and dashes.
  public static func isName(_ text: String) -> Bool {
    (1...64).contains(text.utf8.count) && text.first != "-"
      && text.utf8.allSatisfy { byte in
        UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte
          || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte || byte == UInt8(ascii: "-")
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
    text.map(allowed: "of 1 to 64 small letters, digits and dashes") { name in
      guard Job.isName(name) else {
        throw FederationError(
          code: .invalidConfiguration,
          message: "must be of 1 to 64 small letters, digits and dashes"
        )
      }
      return name
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
          epsilon: settings.required("epsilon", .number(above: 0), help: "the largest ε allowed"),
          delta: settings.required(
            "delta",
            .number(in: 0..<1),
            help: "the δ at which ε is taken; well below one over the number of records"
          ),
          accountant: settings.optional("accountant", .choice, default: .rdp, help: "who counts")
        ),
        settings.optional(
          "noise",
          .choice,
          default: .seed,
          help:
            "where noise comes from: the job's seed, which protects from no one, or a secret of the run"
        )
      )
    }
  }
}
