public import TesseraCore

/// A site's part in a federated algorithm, for any trainer: what is trained from where, what the site answers, and what it
/// remembers.
///
///     struct Executing: Executor {
///       let algorithm: any SiteAlgorithm
///       func execute(_ task: SiteTask, at site: SiteContext) async throws -> Exchange {
///         try await algorithm.update(for: task, at: site) { start, correction, key in
///           try trainer.train(start, correcting: correction, key: key)
///         }.answer
///       }
///     }
public protocol SiteAlgorithm: Sendable {
  /// How often a task of training trains on the site's data: each time costs privacy, where that is counted.
  var trainings: Int { get }

  /// What the algorithm is called in answers.
  var name: String { get }

  /// Carries out a task of training.
  ///
  /// - Parameters:
  ///   - task: What the server sent.
  ///   - site: The site's memory is changed.
  ///   - train: Trains on the site's data; may be asked for more than one training.
  /// - Returns: The answer, and the site's model.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/badTask`` if the task lacks what the algorithm needs, and
  ///   what `train` throws.
  func update(
    for task: SiteTask,
    at site: SiteContext,
    by train: LocalTrainer
  ) async throws -> SiteUpdate

  /// The models that a task of measuring is about.
  ///
  /// - Parameters:
  ///   - model: The model that came with the task.
  ///   - site: What the site remembers.
  /// - Returns: Models by what the names of their measurements begin with; of the task's, with nothing.
  /// - Throws: ``FederationError`` if what came does not fit what the site remembers.
  func measured(_ model: ModelState, at site: SiteContext) throws -> [String: ModelState]
}

/// What a site made of a task of training.
public struct SiteUpdate: Sendable {
  /// What the server gets.
  public var answer: Exchange
  /// The site's own model: the one that it would use, without what never leaves the site.
  public var model: ModelState

  /// An answer, and the site's own model.
  public init(_ answer: Exchange, model: ModelState) {
    self.answer = answer
    self.model = model
  }
}

extension SiteAlgorithm {
  /// The model as it came.
  public func measured(_ model: ModelState, at site: SiteContext) throws -> [String: ModelState] {
    ["": model]
  }
}

/// Training from the global model, and nothing else: the site's part in FedAvg and FedOpt.
public struct PlainTraining: SiteAlgorithm {
  /// What the algorithm is called in answers.
  public var name: String { "fedavg" }

  /// Plain training.
  public init() {}

  /// Trains, and answers with the model.
  public func update(
    for task: SiteTask,
    at site: SiteContext,
    by train: LocalTrainer
  ) async throws -> SiteUpdate {
    let trained = try await train(task.model, nil, task.key)
    return SiteUpdate(trained.weights, model: trained.state)
  }
}

extension SiteAlgorithm where Self == PlainTraining {
  /// Training from the global model, and nothing else.
  public static var plain: Self { Self() }
}

extension FederationError {
  /// Refuses a setting that is not a finite number in a range.
  static func check(
    _ value: Double,
    _ name: String,
    atLeast least: Double = -.infinity,
    above low: Double = -.infinity,
    below high: Double = .infinity
  ) throws {
    guard value.isFinite, value >= least, value > low, value < high else {
      var allowed: [String] = []
      if least > -.infinity { allowed.append("at least \(least)") }
      if low > -.infinity { allowed.append("above \(low)") }
      if high < .infinity { allowed.append("below \(high)") }
      throw FederationError(
        code: .invalidConfiguration,
        message: "'\(name)' must be a number \(allowed.joined(separator: " and ")), not \(value)"
      )
    }
  }
}

extension SiteAlgorithm {
  /// Once.
  public var trainings: Int { 1 }
}
