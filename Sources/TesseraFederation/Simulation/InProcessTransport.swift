internal import TesseraCore

/// Sites in this process, run on compute lanes.
///
/// Simulations and tests use it, with the rounds and the aggregation of a deployment. A site computes on one thread, so its
/// answer has the same bits on any number of lanes.
public struct InProcessTransport: Transport {
  /// The sites.
  public let sites: [Site]
  private let executor: any Executor
  private let pool: LanePool

  /// A transport to sites that one executor serves.
  public init(sites: [Site], executor: any Executor, pool: LanePool) {
    self.sites = sites
    self.executor = executor
    self.pool = pool
  }

  /// Runs the tasks on the pool's lanes.
  public func ask(
    _ tasks: [SiteTask],
    answered: @escaping @Sendable (Site, Result<Update, any Error>) -> Void
  ) async {
    // The largest first, so that no lane starts a long one when the others are done.
    let ordered = tasks.sorted {
      ($1.site.exampleCount, $0.site.index) < ($0.site.exampleCount, $1.site.index)
    }
    let executor = executor
    await pool.forEach(ordered) { task in
      do {
        answered(task.site, .success(try await executor.execute(task)))
      } catch {
        answered(task.site, .failure(error))
      }
    }
  }
}
