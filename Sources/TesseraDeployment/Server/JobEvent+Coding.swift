/// Events as wires and programs have them: one object, whose `event` says of what kind it is.
///
/// | `event` | with |
/// |---|---|
/// | `job changed` | `job`, as `jobs` lists it |
/// | `job waits` | `reason`; `away`, a list of `site` and `since` |
/// | `site declined` | `site`, `reason` |
/// | `sites asked` | `task`, `round`, `sites` |
/// | `metrics reported` | `site`, `round`, `step`, `metrics` |
/// | `answer used` | `site`, `answers` |
/// | `answer refused` | `site`, `reason` |
/// | `site away` | `site`, `since` |
/// | `site returned` | `site` |
/// | `transfers` | `transfers`, a list |
/// | `round finished` | `round`, as `show` lists it |
/// | `server lost` | `reason` |
/// | `server found` | `server` |
extension JobEvent: Codable {
  private enum Key: String, CodingKey {
    case event, job, reason, away, site, since, task, round, sites, step, metrics, answers,
      transfers,
      server
  }

  /// What kind of event it is, in the words of the JSON.
  public enum Kind: String, Sendable, Hashable, Codable, CaseIterable {
    case changed = "job changed"
    case waiting = "job waits"
    case declined = "site declined"
    case asked = "sites asked"
    case measured = "metrics reported"
    case answered = "answer used"
    case refused = "answer refused"
    case away = "site away"
    case returned = "site returned"
    case transferring = "transfers"
    case roundFinished = "round finished"
    case serverLost = "server lost"
    case serverFound = "server found"
  }

  /// What kind of event it is.
  public var kind: Kind {
    switch self {
    case .changed: .changed
    case .waiting: .waiting
    case .declined: .declined
    case .asked: .asked
    case .measured: .measured
    case .answered: .answered
    case .refused: .refused
    case .away: .away
    case .returned: .returned
    case .transferring: .transferring
    case .roundFinished: .roundFinished
    case .serverLost: .serverLost
    case .serverFound: .serverFound
    }
  }

  /// Writes the object.
  public func encode(to encoder: any Encoder) throws {
    var object = encoder.container(keyedBy: Key.self)
    try object.encode(kind, forKey: .event)
    switch self {
    case .changed(let job): try object.encode(job, forKey: .job)
    case .waiting(let reason, let away):
      try object.encode(reason, forKey: .reason)
      try object.encode(away, forKey: .away)
    case .declined(let site, let reason), .refused(let site, let reason):
      try object.encode(site, forKey: .site)
      try object.encode(reason, forKey: .reason)
    case .asked(let task, let round, let sites):
      try object.encode(task, forKey: .task)
      try object.encode(round, forKey: .round)
      try object.encode(sites, forKey: .sites)
    case .measured(let measurement): try measurement.encode(to: encoder)
    case .answered(let site, let answers):
      try object.encode(site, forKey: .site)
      try object.encode(answers, forKey: .answers)
    case .away(let site): try site.encode(to: encoder)
    case .returned(let site): try object.encode(site, forKey: .site)
    case .transferring(let transfers): try object.encode(transfers, forKey: .transfers)
    case .roundFinished(let round): try object.encode(round, forKey: .round)
    case .serverLost(let reason): try object.encode(reason, forKey: .reason)
    case .serverFound(let server): try object.encode(server, forKey: .server)
    }
  }

  /// Reads the object.
  public init(from decoder: any Decoder) throws {
    let object = try decoder.container(keyedBy: Key.self)
    func text(_ key: Key) throws -> String { try object.decode(String.self, forKey: key) }
    switch try object.decode(Kind.self, forKey: .event) {
    case .changed: self = .changed(try object.decode(JobRecord.self, forKey: .job))
    case .waiting:
      self = .waiting(
        reason: try text(.reason),
        away: try object.decode([AwaySite].self, forKey: .away)
      )
    case .declined: self = .declined(site: try text(.site), reason: try text(.reason))
    case .asked:
      self = .asked(
        task: try text(.task),
        round: try object.decode(Int.self, forKey: .round),
        sites: try object.decode([String].self, forKey: .sites)
      )
    case .measured: self = .measured(try SiteMeasurement(from: decoder))
    case .answered:
      self = .answered(
        site: try text(.site),
        answers: try object.decode(Int.self, forKey: .answers)
      )
    case .refused: self = .refused(site: try text(.site), reason: try text(.reason))
    case .away: self = .away(try AwaySite(from: decoder))
    case .returned: self = .returned(site: try text(.site))
    case .transferring:
      self = .transferring(try object.decode([Transfer].self, forKey: .transfers))
    case .roundFinished:
      self = .roundFinished(try object.decode(RoundSummary.self, forKey: .round))
    case .serverLost: self = .serverLost(reason: try text(.reason))
    case .serverFound: self = .serverFound(try text(.server))
    }
  }
}
