/// Which tasks a filter is for: it sees what these send and what is answered to them, and nothing else.
///
///     let filters = SiteFilters(results: [try TopK(fraction: 0.01).limited(to: .training)])
public struct TaskScope: Sendable, Hashable {
  private var names: Set<TaskName>
  private var isExcept: Bool

  /// These tasks.
  public static func only(_ names: Set<TaskName>) -> TaskScope {
    TaskScope(names: names, isExcept: false)
  }

  /// All tasks but these.
  public static func except(_ names: Set<TaskName>) -> TaskScope {
    TaskScope(names: names, isExcept: true)
  }

  /// All tasks.
  public static let all = except([])

  /// ``TaskName/train`` alone: for what makes updates smaller.
  public static let training = only([.train])

  /// Every task that may be answered with a model that a site's data have shaped, those of applications included: for what
  /// keeps something from leaving.
  ///
  /// A first model, measurements, statistics, and the aggregate that a site makes of others' updates are none.
  public static let ownModels = except([.initialize, .evaluate, .statistics, .aggregate])

  /// Whether a task is among them.
  public func contains(_ task: TaskName) -> Bool { names.contains(task) != isExcept }
}

/// A filter for other tasks than it would be for by itself; see ``Filter/limited(to:)``.
struct ScopedFilter: Filter {
  let base: any Filter
  let scope: TaskScope

  func apply(to exchange: Exchange, in context: FilterContext) throws -> Exchange {
    try base.apply(to: exchange, in: context)
  }
}

extension Filter {
  /// The filter, for these tasks alone.
  public func limited(to scope: TaskScope) -> any Filter {
    ScopedFilter(base: unscoped, scope: scope)
  }

  /// The filter without a scope that it was given.
  var unscoped: any Filter { (self as? ScopedFilter)?.base ?? self }

  /// What configurations and messages call it.
  var shownName: String {
    let filter = unscoped
    return (filter as? any NamedFilter).map { type(of: $0).name } ?? "\(type(of: filter))"
  }
}
