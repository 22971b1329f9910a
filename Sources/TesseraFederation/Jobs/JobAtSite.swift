/// A job at one site of a deployment: the job's files, the site's own data, and all sites.
///
///     let job = try Job(deployedFrom: "jobs/fashion-1")
///     let data = try LocalData(.images("/data/chest"))
///     // The server is told `data.offer`, and answers with the roster.
///     let site = try JobAtSite(job, data: data, index: 2, roster: roster, at: place)
///     let answer = try await site.worker.answer(task)
public struct JobAtSite: Sendable {
  /// Does what the server asks.
  public let worker: SiteWorker
  /// The job with its sites.
  public let plan: PlannedJob

  /// A job at a site.
  ///
  /// - Parameters:
  ///   - job: What is to be done.
  ///   - data: The site's.
  ///   - index: The site's, in the roster.
  ///   - roster: All sites.
  ///   - place: What the site brings along.
  /// - Throws: `ConfigurationError` or ``FederationError`` if the job does not fit the data.
  public init(
    _ job: Job,
    data: LocalData,
    index: Int,
    roster: JobRoster,
    at place: SitePlace
  ) throws {
    let own = try data.data(ofSite: index, among: roster.sites)
    try job.check(against: own)
    plan = try PlannedJob(job, sites: roster.sites, images: roster.images())
    let plan = plan
    let executor = try job.locating("executor") {
      var resources = plan.resources(own)
      resources.gpus = place.gpus
      return try plan.job.executor.make(resources)
    }
    worker = try plan.worker(executor, at: place)
  }
}
