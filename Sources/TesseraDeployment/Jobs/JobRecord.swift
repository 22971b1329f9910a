public import Foundation

/// What a server knows of a job.
public struct JobRecord: Sendable, Hashable, Codable, Identifiable {
  /// The job's name on the wire, in folders and for people: unique at its server.
  public let id: String
  /// What its `job.yml` calls it.
  public var name: String
  /// Who submitted and signed it.
  public var submitter: Person
  /// When it arrived.
  public var submitted: Date
  /// How far it is.
  public var state: JobState
  /// What it needs to run.
  public var requirements: JobRequirements
  /// The SHA-256 digest of the signed folder, hexadecimal.
  public var digest: String
  /// The job that it is a copy of.
  public var clonedFrom: String?
  /// Those that were given the job, at their indices; empty before it was dispatched.
  public var sites: [JobSite] = []
  /// What its sites' policies say of it, by the sites' names: the server keeps it, and does not tell it.
  public var siteRights: [String: RightsOverJobs] = [:]
  /// Those of its sites that do not take part, and why: ``JobDetails`` tell it.
  public var declined: [String: String] = [:]
  /// When its rounds began.
  public var started: Date?
  /// When it ended.
  public var ended: Date?
  /// Why it does not go on just now, if it pauses because the server cannot write: in answers to people, and not kept.
  public var paused: String?

  private enum CodingKeys: String, CodingKey {
    case id, name, submitter, submitted, state, requirements, digest, clonedFrom, sites, started
    case ended, paused
  }

  /// A job that has just arrived.
  public init(
    id: String,
    name: String,
    submitter: Person,
    submitted: Date,
    requirements: JobRequirements,
    digest: String,
    clonedFrom: String? = nil
  ) {
    self.id = id
    self.name = name
    self.submitter = submitter
    self.submitted = submitted
    state = .submitted
    self.requirements = requirements
    self.digest = digest
    self.clonedFrom = clonedFrom
  }
}

/// A site of a job.
public struct JobSite: Sendable, Hashable, Codable {
  /// The name in its certificate.
  public var name: String
  /// The number of its examples, as it says.
  public var examples: Int

  /// A site.
  public init(name: String, examples: Int) {
    self.name = name
    self.examples = examples
  }
}

/// What a job needs to run.
public struct JobRequirements: Sendable, Hashable, Codable {
  /// What it needs at each site.
  public var resources: Resources
  /// How many sites it needs.
  public var minimumSites: Int
  /// Sites without which it does not run.
  public var mandatorySites: Set<String>
  /// The sites that it is for: the deploy map; all if `nil`.
  public var sites: Set<String>?
  /// Whether it starts programs at the sites.
  public var runsPrograms: Bool

  /// Requirements.
  public init(
    resources: Resources = Resources(),
    minimumSites: Int = 1,
    mandatorySites: Set<String> = [],
    sites: Set<String>? = nil,
    runsPrograms: Bool = false
  ) {
    self.resources = resources
    self.minimumSites = minimumSites
    self.mandatorySites = mandatorySites
    self.sites = sites
    self.runsPrograms = runsPrograms
  }
}

/// What a site has, or a job needs there.
public struct Resources: Sendable, Hashable, Codable {
  /// Processor cores.
  public var cores: Int
  /// Memory, in bytes.
  public var memory: Int
  /// GPUs.
  public var gpus: Int

  /// Resources.
  public init(cores: Int = 0, memory: Int = 0, gpus: Int = 0) {
    self.cores = cores
    self.memory = memory
    self.gpus = gpus
  }
}
