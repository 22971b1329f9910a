public import TesseraCore

/// Changes exchanges on their way: leaves tensors out, clips, adds noise, compresses, encrypts.
///
///     struct Halving: Filter {
///       func apply(to exchange: Exchange, in context: FilterContext) throws -> Exchange {
///         try exchange.mapModels { model in
///           var model = model
///           model.tensors = try model.tensors.mapTensors { try $1 / 2 }
///           return model
///         }
///       }
///     }
///
/// A filter is asked for several sites at once and keeps nothing itself; what one site must remember goes into
/// ``FilterContext/memory``.
///
/// It sees every task and every usable answer unless it has a ``scope``; one that is for models is a ``ModelFilter``.
public protocol Filter: Sendable {
  /// The tasks that it is for; all unless it says otherwise.
  var scope: TaskScope { get }

  /// The exchange as it travels on.
  ///
  /// - Throws: Whatever makes the exchange unfit to travel; at a site, the round then goes on without its answer.
  func apply(to exchange: Exchange, in context: FilterContext) throws -> Exchange
}

extension Filter {
  /// All tasks.
  public var scope: TaskScope { .all }
}

/// Where a filter is at work.
public struct FilterContext: Sendable {
  /// Whose filter it is.
  public enum Side: String, Sendable, Hashable { case server, site }
  /// Which way the exchange goes.
  public enum Direction: String, Sendable, Hashable { case task, result }

  /// Whose filter it is.
  public var side: Side
  /// Which way the exchange goes.
  public var direction: Direction
  /// What the site is asked to do.
  public var task: TaskName
  /// The round, from 1.
  public var round: Int
  /// The site that the exchange goes to or comes from; `nil` where the server sends the same to all.
  public var site: Site?
  /// Seeds what the filter draws; each filter of a chain has its own.
  public var key: RandomKey
  /// What the task came with, as this side has it: weights and differences are converted by it.
  ///
  /// `nil` on tasks.
  public var reference: Exchange?
  /// What the site keeps from task to task; at the server, nothing that lasts.
  public var memory: SiteMemory
  /// Where noise that protects comes from: secrets of the one whose filter it is.
  public var secrets: SecretSource
  /// What makes the site's task different from all others.
  var identity: TaskIdentity?

  /// A place to work at.
  public init(
    side: Side,
    direction: Direction,
    task: TaskName = .train,
    round: Int = 1,
    site: Site?,
    key: RandomKey,
    reference: Exchange? = nil,
    memory: SiteMemory = SiteMemory(),
    secrets: SecretSource = .system
  ) {
    self.side = side
    self.direction = direction
    self.task = task
    self.round = round
    self.site = site
    self.key = key
    self.reference = reference
    self.memory = memory
    self.secrets = secrets
  }
}

/// A filter that never makes a model's change from the task's longer, in any measure: between ``ClipNorm`` and noise, the bound
/// holds on.
///
/// It may leave elements out, shrink them, or write the change in another way.
public protocol ShorteningFilter: Filter {}

/// The filters of a site: those that tasks pass when they arrive, and those that answers pass before they leave.
public struct SiteFilters: Sendable {
  /// For tasks, in order.
  public var tasks: [any Filter]
  /// For answers, in order.
  public var results: [any Filter]
  /// Which of ``tasks`` are the site's own, and no job's.
  var ownTasks = 0..<0
  /// Which of ``results`` are the site's own, and no job's.
  var ownResults = 0..<0

  /// Filters in order.
  public init(tasks: [any Filter] = [], results: [any Filter] = []) {
    self.tasks = tasks
    self.results = results
  }
}

/// The filters of the server: those that tasks pass before they leave, and those that answers pass when they arrive.
public struct ServerFilters: Sendable {
  /// For tasks, in order.
  public var tasks: [any Filter]
  /// For answers, in order.
  public var results: [any Filter]

  /// Filters in order.
  public init(tasks: [any Filter] = [], results: [any Filter] = []) {
    self.tasks = tasks
    self.results = results
  }
}

extension [any Filter] {
  /// The exchange after all filters whose scope the task is in.
  ///
  /// - Throws: What a filter throws; a ``FederationError`` names the filter.
  public func applied(to exchange: Exchange, in context: FilterContext) throws -> Exchange {
    try applied(to: exchange, in: context) { _, _, _, _ in
    } passed: { _, _ in
    }
  }

  /// The exchange after all filters; each is looked at first, with what it gets and the filters that it has passed by then, and
  /// told of, with its place among all, when the exchange has passed it.
  func applied(
    to exchange: Exchange,
    in context: FilterContext,
    visiting: (any Filter, Exchange, FilterContext, _ earlier: [any Filter]) throws -> Void,
    passed: (any Filter, _ position: Int) throws -> Void
  ) throws -> Exchange {
    guard !isEmpty else { return exchange }
    var exchange = exchange
    var earlier: [any Filter] = []
    for (position, filter) in enumerated() where filter.scope.contains(context.task) {
      var own = context
      own.key = context.key[context.side.rawValue][context.direction.rawValue][position]
      own.secrets = context.secrets.derived(
        "\(context.side.rawValue)/\(context.direction.rawValue)/\(position)"
      )
      let filter = filter.unscoped
      try visiting(filter, exchange, own, earlier)
      do {
        if filter is any ModelFilter, exchange.hasLooseTensors {
          throw FederationError(
            code: .rejectedUpdate,
            message: "it is for models, and '\(exchange.kind.name)' holds tensors that are none"
          )
        }
        exchange = try filter.apply(to: exchange, in: own)
      } catch let error as FederationError {
        throw error.naming(filter, at: context.site)
      }
      earlier.append(filter)
      try passed(filter, position)
    }
    return exchange
  }
}

extension FederationError {
  /// The error with the filter that threw it, after the site that it names first.
  fileprivate func naming(_ filter: any Filter, at site: Site?) -> FederationError {
    let name = "filter '\(filter.shownName)'"
    guard !message.contains(name) else { return self }
    let start = site.map { "\($0.name): " } ?? ""
    let rest = message.hasPrefix(start) ? String(message.dropFirst(start.count)) : message
    return FederationError(code: code, message: "\(start)\(name): \(rest)")
  }
}
