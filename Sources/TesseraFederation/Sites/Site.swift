public import TesseraCore

/// A place that keeps its data and takes part in rounds.
public struct Site: Sendable, Hashable {
  /// Its position in the list of sites; keys for random numbers are derived from it.
  public var index: Int
  /// Its name, for people.
  public var name: String
  /// The number of its training examples: the most that an update of it may weigh.
  public var exampleCount: Int

  /// Makes a site.
  public init(index: Int, name: String, exampleCount: Int) {
    self.index = index
    self.name = name
    self.exampleCount = exampleCount
  }
}

/// What a site is asked to do in a round.
public struct SiteTask: Sendable {
  /// The round, counted from 1.
  public var round: Int
  /// Who is asked.
  public var site: Site
  /// The global model to start from.
  public var model: ModelState
  /// Seeds every random draw of this site in this round.
  public var key: RandomKey

  /// Makes a task.
  public init(round: Int, site: Site, model: ModelState, key: RandomKey) {
    self.round = round
    self.site = site
    self.model = model
    self.key = key
  }
}

/// What a site answers.
public struct Update: Sendable {
  /// The site's model after its training.
  public var model: ModelState
  /// How much the update counts: the number of examples it was trained on.
  public var weight: Double
  /// What the site measured: `loss`, the mean over its training; others at will.
  ///
  /// Those that are not finite are left out.
  public var metrics: [String: Double]

  /// Makes an update.
  public init(model: ModelState, weight: Double, metrics: [String: Double] = [:]) {
    self.model = model
    self.weight = weight
    self.metrics = metrics
  }
}

/// A site's side of a round: it trains on its own data.
///
/// An executor is asked for several sites at once, so it keeps nothing between tasks that is not its own data. Long work
/// checks `Task.isCancelled` between batches, so that a run can stop within a second.
public protocol Executor: Sendable {
  /// Carries out a task.
  ///
  /// - Throws: Whatever keeps the site from answering; the round goes on without it.
  func execute(_ task: SiteTask) async throws -> Update
}
