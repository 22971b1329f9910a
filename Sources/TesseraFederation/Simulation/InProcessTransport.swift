internal import TesseraCore

/// Sites in this process, run on compute lanes.
///
/// Simulations and tests use it, with the rounds and the aggregation of a deployment. A site computes on one thread, so its
/// answer has the same bits on any number of lanes. A site that is not asked costs its entry in the list of sites, and what
/// it chose to remember.
public struct InProcessTransport: Transport {
  /// The sites.
  public let sites: [Site]
  private let worker: SiteWorker
  private let pool: LanePool

  /// A transport to sites that one worker serves.
  public init(sites: [Site], worker: SiteWorker, pool: LanePool) {
    self.sites = sites
    self.worker = worker
    self.pool = pool
  }

  /// A transport to sites that one executor serves, without filters.
  public init(sites: [Site], executor: any Executor, pool: LanePool) {
    self.init(sites: sites, worker: SiteWorker(executor: executor), pool: pool)
  }

  /// Runs the tasks on the pool's lanes.
  public func ask(
    _ tasks: [SiteTask],
    report: @escaping @Sendable (SiteEvent) -> Void
  ) async {
    // The largest first, so that no lane starts a long one when the others are done.
    let ordered = tasks.sorted {
      ($1.site.exampleCount, $0.site.index) < ($0.site.exampleCount, $1.site.index)
    }
    let worker = worker
    // Who has to wait for a lane is not to blame for it.
    for task in ordered.dropFirst(pool.count) { report(.waiting(task.site)) }
    await pool.forEach(ordered) { task in
      report(.progressed(task.site))
      do {
        let answer = try await worker.answer(task) { report(.progressed(task.site)) }
        report(.answered(task.site, .success(answer)))
      } catch {
        report(.answered(task.site, .failure(error)))
      }
    }
  }
}
