/// A job in a list, with what it waits for.
///
/// As JSON it is the job's object, with `waiting` and `away` beside the rest.
@dynamicMemberLookup
public struct ListedJob: Sendable, Hashable, Codable {
  /// The job.
  public var job: JobRecord
  /// Why it does not start yet, if it waits.
  public var waiting: String?
  /// The sites that it waits for because they are not connected.
  public var away: [JobEvent.AwaySite]

  /// A job.
  public init(job: JobRecord, waiting: String? = nil, away: [JobEvent.AwaySite] = []) {
    self.job = job
    self.waiting = waiting
    self.away = away
  }

  /// What the job's record says.
  public subscript<Value>(dynamicMember path: KeyPath<JobRecord, Value>) -> Value {
    job[keyPath: path]
  }

  private enum Key: String, CodingKey { case waiting, away }

  /// Writes the job's object, with the rest.
  public func encode(to encoder: any Encoder) throws {
    try job.encode(to: encoder)
    var object = encoder.container(keyedBy: Key.self)
    try object.encode(waiting, forKey: .waiting)
    try object.encode(away, forKey: .away)
  }

  /// Reads the job's object, with the rest.
  public init(from decoder: any Decoder) throws {
    job = try JobRecord(from: decoder)
    let object = try decoder.container(keyedBy: Key.self)
    waiting = try object.decodeIfPresent(String.self, forKey: .waiting)
    away = try object.decodeIfPresent([JobEvent.AwaySite].self, forKey: .away) ?? []
  }
}
