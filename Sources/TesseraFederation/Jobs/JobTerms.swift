internal import SystemPackage
internal import TesseraConfiguration

/// What a job says, as the rules about it see it, with places in its files.
struct JobTerms: Sendable {
  /// The job, with allowed values in the place of wrong ones.
  let job: Job
  /// `job.yml`.
  let jobFile: ConfigurationFile
  /// `data.yml`.
  let dataFile: ConfigurationFile
  /// The keys at the top of the files whose values are wrong, or that are missing though needed: nothing follows from them.
  private let unsound: Set<String>

  init(
    job: Job,
    jobFile: ConfigurationFile,
    dataFile: ConfigurationFile,
    problems: [ConfigurationError.Problem]
  ) {
    self.job = job
    self.jobFile = jobFile
    self.dataFile = dataFile
    var unsound = Set(
      problems.filter { $0.code != .unknownKey }.map { problem in
        let key = problem.keyPath.prefix { !".[".contains($0) }
        return "\(problem.file.lastComponent?.string ?? "")/\(key)"
      }
    )
    if !jobFile.contains("executor") { unsound.insert("job.yml/executor") }
    self.unsound = unsound
  }

  /// Whether the values of keys, as `job.yml/sites`, are what the files say.
  func areSound(_ keys: [String]) -> Bool {
    // `data.yml/` and `job.yml/` stand for the files as wholes.
    keys.allSatisfy { !unsound.contains($0) }
  }

  /// How many sites there are, if that is known.
  var siteCount: Int? {
    switch job.data.source {
    case .divided: job.sites
    case .images(let sites, _): sites.count
    case .tables(let sites): sites.count
    case .folders(let sites): sites.count
    case .none, .atSites: nil
    }
  }

  /// Whether a site of this name takes part.
  func hasSite(_ name: String) -> Bool {
    switch job.data.source {
    case .divided:
      name.hasPrefix("site-")
        && Int(name.dropFirst(5)).map { number in
          (1...(job.sites ?? 1)).contains(number) && name == "site-\(number)"
        } ?? false
    case .images(let sites, _): sites.contains { $0.site == name }
    case .tables(let sites): sites.contains { $0.site == name }
    case .folders(let sites): sites.contains { $0.site == name }
    case .none, .atSites: false
    }
  }

  /// The names of the sites, as far as a message can hold them.
  var siteNames: [String] {
    switch job.data.source {
    case .divided: (1...max(1, min(job.sites ?? 1, 1000))).map { "site-\($0)" }
    case .images(let sites, _): sites.map(\.site)
    case .tables(let sites): sites.map(\.site)
    case .folders(let sites): sites.map(\.site)
    case .none, .atSites: []
    }
  }

  /// The workflows, each with the keys that lead to it; of each that seeks the best model, the training.
  var workflows: [(workflow: any Workflow, keyPath: String)] {
    wholeWorkflows.map { whole, keyPath in
      (whole as? BestModel).map { ($0.workflow, "\(keyPath).of") } ?? (whole, keyPath)
    }
  }

  /// The workflows as the file lists them, each with the keys that lead to it.
  var wholeWorkflows: [(workflow: any Workflow, keyPath: String)] {
    guard jobFile.contains("workflows") else { return [(job.workflow, "workflow")] }
    let all = (job.workflow as? WorkflowChain)?.workflows ?? [job.workflow]
    return all.enumerated().map { ($1, "workflows[\($0)]") }
  }

  /// A problem in `job.yml`.
  func problem(_ keyPath: String, _ message: String) -> ConfigurationError.Problem {
    jobFile.problem(at: keyPath, message)
  }

  /// That there is no site of a name, if so.
  func missingSite(_ name: String, _ keyPath: String) -> [ConfigurationError.Problem] {
    guard !hasSite(name) else { return [] }
    let hint = hint(for: name, among: siteNames)
    return [problem(keyPath, "there is no site \(shown(name)) among the sites\(hint)")]
  }
}

/// A rule about what a job's keys say together.
///
/// All rules that can be told without the data stand in ``all``: to add one, add it there. `tessera federation simulate` applies
/// them to each job before anything else is done, and reports all that is wrong at once.
struct JobRule: Sendable {
  /// The keys at the top of the files, as `job.yml/workflow`, that the rule looks at: it is not asked if one of them is wrong.
  let keys: [String]
  /// All that is wrong.
  let check: @Sendable (JobTerms) -> [ConfigurationError.Problem]

  init(_ keys: [String], _ check: @escaping @Sendable (JobTerms) -> [ConfigurationError.Problem]) {
    // A file that lacks a key, or has two that exclude each other, has no meaning as a whole.
    self.keys = keys + keys.map { $0.prefix { $0 != "/" } + "/" }
    self.check = check
  }

  /// All that is wrong, as far as the job can be understood.
  func problems(in terms: JobTerms) -> [ConfigurationError.Problem] {
    terms.areSound(keys) ? check(terms) : []
  }

  /// The rules.
  static let all: [JobRule] =
    siteRules + workflowRules + filterRules + protectionRules + dataRules
}
