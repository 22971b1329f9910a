/// What a watcher has seen of a job, so that a server that tells the whole story again, as each does to who comes, tells nothing
/// twice.
public struct SeenNews: Sendable {
  private var job: JobRecord?
  private var round = 0
  private var declined: [String: String] = [:]
  private var away: [String: JobEvent.AwaySite] = [:]
  private var waiting: JobEvent?

  /// Nothing was seen yet.
  public init() {}

  /// Whether the job is over, as far as was seen.
  public var isOver: Bool { job?.state.isOver ?? false }

  /// Whether this is news; it is none any more afterwards.
  public mutating func isNew(_ event: JobEvent) -> Bool {
    switch event {
    case .changed(let next):
      defer { job = next }
      return next != job
    case .waiting:
      defer { waiting = event }
      return waiting != event
    case .declined(let site, let reason):
      return declined.updateValue(reason, forKey: site) != reason
    case .away(let site):
      // Another server has noticed it at another time.
      return away.updateValue(site, forKey: site.site) == nil
    case .returned(let site): return away.removeValue(forKey: site) != nil
    case .roundFinished(let done):
      guard done.round > round else { return false }
      round = done.round
      return true
    case .asked, .measured, .answered, .refused, .transferring, .serverLost, .serverFound:
      return true
    }
  }
}
