public import TesseraCore

/// What a site is asked to do.
public struct SiteTask: Sendable {
  /// Its number among all that the job has asked for, from 1; several sites get the same task under one number.
  public var step: Int
  /// What is to be done.
  public var name: TaskName
  /// The round it belongs to, from 1.
  public var round: Int
  /// Who is asked.
  public var site: Site
  /// What to do it with: the global model, as a rule.
  public var data: Exchange
  /// Seeds every random draw of this site for this task.
  public var key: RandomKey
  /// The digest of the parcel in which it came from a server, ``Parcel/digest``; `nil` if it came in none.
  public var digest: String?
  /// The first step of which the server has used no answer of the site, and none after it.
  ///
  /// What the site remembers is as of before that step. `nil` if the last answer was used, or there is none.
  public var unusedSince: Int?

  /// Makes a task.
  public init(
    step: Int = 1,
    name: TaskName = .train,
    round: Int = 1,
    site: Site,
    data: Exchange,
    key: RandomKey
  ) {
    self.step = step
    self.name = name
    self.round = round
    self.site = site
    self.data = data
    self.key = key
  }

  /// The tensors that the task came with.
  public var model: ModelState { data.tensors }
}

/// Names what a site is asked to do.
///
/// A struct, so that workflows can have tasks of their own:
///
///     extension TaskName { static let calibrate = TaskName("calibrate") }
public struct TaskName: Hashable, Sendable, Codable, CustomStringConvertible {
  /// The name.
  public var description: String

  /// A task of that name.
  public init(_ name: String) { description = name }

  /// Train the model that comes with the task, and answer with the trained one.
  public static let train = TaskName("train")
  /// Measure the model that comes with the task on the site's own data.
  public static let evaluate = TaskName("evaluate")
  /// Answer with the site's own best model.
  public static let submitModel = TaskName("submit model")
  /// Answer with a model to begin with.
  public static let initialize = TaskName("initialize")
  /// Answer with properties of the site's data.
  public static let statistics = TaskName("statistics")

  /// Reads a name.
  public init(from decoder: any Decoder) throws {
    description = try decoder.singleValueContainer().decode(String.self)
  }

  /// Writes the name.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}
