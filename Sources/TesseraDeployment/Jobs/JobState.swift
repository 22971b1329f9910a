/// How far a job of a deployment is.
///
/// submitted → approved → dispatched → running → finished; aborted on the way, or abandoned by the server before it ever ran.
public enum JobState: Sendable, Hashable, Codable {
  /// It has arrived.
  case submitted
  /// Its signature, its submitter's rights and its configuration are good; it waits for sites.
  case approved
  /// Sites were chosen, and are given the job.
  case dispatched
  /// Its rounds go on.
  case running
  /// It is over.
  case finished(Outcome)
  /// It never ran, and never will.
  case abandoned(reason: String)

  /// How a job ended.
  public enum Outcome: Sendable, Hashable {
    /// As it should.
    case completed
    /// Somebody ended it.
    case aborted(by: String)
    /// Something kept it from going on.
    case failed(reason: String)
  }

  /// Whether nothing follows.
  public var isOver: Bool {
    switch self {
    case .finished, .abandoned: true
    case .submitted, .approved, .dispatched, .running: false
    }
  }

  /// Whether a state can follow this one.
  ///
  /// A server that was killed goes on with what it finds: a job that was dispatched or running may be dispatched again.
  public func canBecome(_ next: JobState) -> Bool {
    switch (self, next) {
    case (.submitted, .approved), (.approved, .dispatched), (.dispatched, .running),
      (.running, .dispatched), (.dispatched, .approved):
      true
    case (.submitted, .abandoned), (.approved, .abandoned): true
    case (.dispatched, .finished), (.running, .finished): true
    case (.submitted, .finished(.aborted)), (.approved, .finished(.aborted)): true
    default: false
    }
  }

  /// A state in a word; of a job that is finished, its outcome.
  public enum Word: String, Sendable, Hashable, Codable, CaseIterable {
    case submitted, approved, dispatched, running, completed, aborted, failed, abandoned
  }

  /// The state in a word.
  public var word: Word {
    switch self {
    case .submitted: .submitted
    case .approved: .approved
    case .dispatched: .dispatched
    case .running: .running
    case .finished(.completed): .completed
    case .finished(.aborted): .aborted
    case .finished(.failed): .failed
    case .abandoned: .abandoned
    }
  }

  /// The state in a word: `running`, `completed`, `aborted`, ….
  public var name: String { word.rawValue }

  /// Why it ended, if there is more to say than that it did.
  public var reason: String? {
    switch self {
    case .finished(.aborted(let by)): "by \(by)"
    case .finished(.failed(let reason)), .abandoned(let reason): reason
    case .submitted, .approved, .dispatched, .running, .finished(.completed): nil
    }
  }
}
