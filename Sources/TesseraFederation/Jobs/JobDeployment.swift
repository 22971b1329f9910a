internal import TesseraConfiguration

/// What the server of a deployment has to know of a job before it sends it to sites: the key `deployment` of `job.yml`.
public struct JobDeployment: Sendable, Hashable {
  /// The sites that the job is for; all if `nil`.
  public var sites: [String]?
  /// The name by which the sites know the data; the only data of that kind that they have if `nil`.
  public var dataset: String?
  /// Cores that it needs at each site.
  public var cores: Int
  /// Memory that it needs at each site, in bytes.
  public var memory: Int
  /// GPUs that it needs at each site.
  public var gpus: Int

  init(_ settings: Mapping) throws {
    sites = try settings.optional(
      "sites",
      .list(of: .text, count: 1...),
      help: "the names of the sites that the job is for; all if not given"
    )
    dataset = try settings.optional(
      "dataset",
      .text,
      help: "the name by which the sites know the data; the only ones of that kind if not given"
    )
    cores = try settings.optional(
      "cores",
      .integer(in: 0...100_000),
      default: 0,
      help: "cores that the job needs at each site"
    )
    let gigabytes = try settings.optional(
      "memory",
      Schema<Double>.number(in: 0...1_000_000),
      default: 0,
      help: "memory that it needs at each site, in GB"
    )
    memory = Int(gigabytes * 1e9)
    gpus = try settings.optional(
      "gpus",
      .integer(in: 0...100_000),
      default: 0,
      help: "GPUs that it needs at each site"
    )
  }
}
