/// States as stores, wires and programs have them: one object, with the same keys whatever the state.
///
///     {"state":"finished","outcome":"aborted","reason":null,"by":"ada"}
///
/// `state` is one of `submitted`, `approved`, `dispatched`, `running`, `finished` and `abandoned`. `outcome`, of a job that is
/// finished, is `completed`, `aborted` or `failed`; `reason` says why it was abandoned or has failed, `by` who has aborted it.
extension JobState {
  private enum Key: String, CodingKey, CaseIterable {
    case state, outcome, reason, by
  }

  private enum Step: String, Codable {
    case submitted, approved, dispatched, running, finished, abandoned
  }

  private enum OutcomeName: String, Codable {
    case completed, aborted, failed
  }

  /// Writes the object.
  public func encode(to encoder: any Encoder) throws {
    var object = encoder.container(keyedBy: Key.self)
    var (outcome, reason, by): (OutcomeName?, String?, String?) = (nil, nil, nil)
    let step: Step
    switch self {
    case .submitted: step = .submitted
    case .approved: step = .approved
    case .dispatched: step = .dispatched
    case .running: step = .running
    case .finished(.completed): (step, outcome) = (.finished, .completed)
    case .finished(.aborted(let person)): (step, outcome, by) = (.finished, .aborted, person)
    case .finished(.failed(let why)): (step, outcome, reason) = (.finished, .failed, why)
    case .abandoned(let why): (step, reason) = (.abandoned, why)
    }
    try object.encode(step, forKey: .state)
    try object.encode(outcome, forKey: .outcome)
    try object.encode(reason, forKey: .reason)
    try object.encode(by, forKey: .by)
  }

  /// Reads the object, or the form that stores and audit logs had before, as `{"finished":{"_0":{"completed":{}}}}`.
  public init(from decoder: any Decoder) throws {
    let object = try decoder.container(keyedBy: Key.self)
    guard let step = try object.decodeIfPresent(Step.self, forKey: .state) else {
      self = try Earlier(from: decoder).state
      return
    }
    switch step {
    case .submitted: self = .submitted
    case .approved: self = .approved
    case .dispatched: self = .dispatched
    case .running: self = .running
    case .abandoned: self = .abandoned(reason: try object.decode(String.self, forKey: .reason))
    case .finished:
      switch try object.decode(OutcomeName.self, forKey: .outcome) {
      case .completed: self = .finished(.completed)
      case .aborted: self = .finished(.aborted(by: try object.decode(String.self, forKey: .by)))
      case .failed:
        self = .finished(.failed(reason: try object.decode(String.self, forKey: .reason)))
      }
    }
  }

  /// The form that the compiler made of states.
  private enum Earlier: Decodable {
    case submitted
    case approved
    case dispatched
    case running
    case finished(Ending)
    case abandoned(reason: String)

    enum Ending: Decodable {
      case completed
      case aborted(by: String)
      case failed(reason: String)
    }

    var state: JobState {
      switch self {
      case .submitted: .submitted
      case .approved: .approved
      case .dispatched: .dispatched
      case .running: .running
      case .finished(.completed): .finished(.completed)
      case .finished(.aborted(let by)): .finished(.aborted(by: by))
      case .finished(.failed(let reason)): .finished(.failed(reason: reason))
      case .abandoned(let reason): .abandoned(reason: reason)
      }
    }
  }
}
