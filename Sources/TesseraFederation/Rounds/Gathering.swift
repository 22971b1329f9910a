/// Waiting for the answers to one task, as a pure state machine: events in, actions out.
///
/// It has no clock, no socket and no task, so every situation is a test of a few lines. Times are counted from any fixed
/// moment.
public struct Gathering: Sendable {
  /// What happens.
  public enum Event: Sendable, Hashable {
    /// A site's answer was used.
    case accepted(site: Int)
    /// A site's answer was refused, or the site could not answer.
    case refused(site: Int, reason: String)
    /// A site's task is held back until there is room for it: its silence says nothing.
    case waiting(site: Int)
    /// A site says that it is at work.
    case progressed(site: Int)
    /// A time that ``Action/wake(at:)`` asked for has come.
    case woke
    /// No more answers can come.
    case closed
  }

  /// What is to be done.
  public enum Action: Sendable, Hashable {
    /// Send ``Event/woke`` at this time.
    case wake(at: Duration)
    /// A site is not waited for any longer.
    case giveUp(site: Int, reason: String)
    /// There are enough answers. What has not come is not waited for.
    case finish
    /// There cannot be enough answers.
    case abandon(reason: String)
  }

  private enum Phase {
    /// Waiting for answers; with a deadline once the minimum is there. Ends as `over`.
    case waiting(deadline: Duration?)
    /// Nothing more happens.
    case over
  }

  private let quorum: Quorum
  private let asked: Int
  private let names: [Int: String]
  private var phase = Phase.waiting(deadline: nil)
  /// The sites that have not answered, with when they were last heard of.
  private var pending: [Int: Duration]
  /// The sites among them whose tasks are held back.
  private var held: Set<Int> = []
  private var accepted = 0
  private var missingMandatory: Set<String>
  private var refusals: [String] = []
  private var nextWake: Duration?

  /// Starts waiting for these sites.
  public init(for sites: [Site], quorum: Quorum, at now: Duration = .zero) {
    self.quorum = quorum
    asked = sites.count
    names = Dictionary(sites.map { ($0.index, $0.name) }) { first, _ in first }
    pending = Dictionary(sites.map { ($0.index, now) }) { first, _ in first }
    missingMandatory = quorum.mandatory
  }

  /// Whether this site is still waited for.
  public func isWaiting(for site: Int) -> Bool {
    guard case .waiting = phase else { return false }
    return pending[site] != nil
  }

  /// The first actions.
  public mutating func start(at now: Duration = .zero) -> [Action] { settle(at: now) }

  /// Takes an event and says what follows from it.
  ///
  /// Events that come too late change nothing.
  public mutating func handle(_ event: Event, at now: Duration = .zero) -> [Action] {
    guard case .waiting(let deadline) = phase else { return [] }
    switch event {
    case .accepted(let site):
      guard pending.removeValue(forKey: site) != nil else { return [] }
      accepted += 1
      if !missingMandatory.isEmpty, let name = names[site] { missingMandatory.remove(name) }
      return settle(at: now)
    case .refused(let site, let reason):
      guard pending.removeValue(forKey: site) != nil else { return [] }
      refusals.append(reason)
      if quorum.mandatory.isEmpty || !missingMandatory.contains(names[site] ?? "") {
        return settle(at: now)
      }
      return abandon("the mandatory site \(names[site] ?? "") gave no usable answer")
    case .waiting(let site):
      // Whose silence is not measured anyway needs no entry.
      if quorum.patience != nil, pending[site] != nil { held.insert(site) }
      return []
    case .progressed(let site):
      guard pending[site] != nil else { return [] }
      pending[site] = now
      return held.remove(site) == nil ? [] : settle(at: now)
    case .woke:
      nextWake = nil
      if let deadline, now >= deadline { return finish() }
      return expire(at: now) + settle(at: now)
    case .closed:
      let silent = pending.keys.sorted().map {
        Action.giveUp(site: $0, reason: "\(names[$0] ?? ""): it did not answer")
      }
      for case .giveUp(let site, let reason) in silent {
        pending[site] = nil
        refusals.append(reason)
      }
      return silent + settle(at: now)
    }
  }

  /// Gives up the sites that have been silent for too long.
  private mutating func expire(at now: Duration) -> [Action] {
    guard let patience = quorum.patience else { return [] }
    let silent = pending.filter { now - $0.value >= patience && !held.contains($0.key) }
    return silent.keys.sorted().map { site in
      pending[site] = nil
      let reason = "\(names[site] ?? ""): no sign of progress for \(patience)"
      refusals.append(reason)
      return .giveUp(site: site, reason: reason)
    }
  }

  private var hasMinimum: Bool { accepted >= quorum.minimum && missingMandatory.isEmpty }

  private mutating func settle(at now: Duration) -> [Action] {
    guard case .waiting(var deadline) = phase else { return [] }
    if accepted + pending.count < quorum.minimum || (pending.isEmpty && !hasMinimum) {
      return abandon(nil)
    }
    if pending.isEmpty { return finish() }
    if hasMinimum, deadline == nil, let wait = quorum.waitAfterMinimum {
      deadline = now + wait
      phase = .waiting(deadline: deadline)
    }
    var wake = deadline
    // Looking at every site is for those occasions alone on which a wake is due.
    if let patience = quorum.patience, nextWake == nil, let oldest = oldest() {
      wake = min(wake ?? .seconds(Int64.max), oldest + patience)
    }
    guard let wake, nextWake.map({ wake < $0 }) ?? true else { return [] }
    nextWake = wake
    return [.wake(at: wake)]
  }

  /// When the site that has been silent for longest was last heard of.
  private func oldest() -> Duration? {
    held.isEmpty
      ? pending.values.min() : pending.filter { !held.contains($0.key) }.values.min()
  }

  private mutating func finish() -> [Action] {
    phase = .over
    // Who took part, and who did not, must be seen in the record.
    let late = pending.keys.sorted().map {
      Action.giveUp(site: $0, reason: "\(names[$0] ?? ""): it was not waited for any longer")
    }
    pending = [:]
    return late + [.finish]
  }

  private mutating func abandon(_ cause: String?) -> [Action] {
    phase = .over
    let needed =
      missingMandatory.isEmpty || cause != nil
      ? "\(quorum.minimum) are needed"
      : "\(quorum.minimum) are needed, and \(missingMandatory.sorted().joined(separator: ", "))"
    let counts = "\(accepted) of \(asked) sites gave a usable answer, \(needed)"
    let reasons = refusals.sorted().prefix(8).map { "; \($0)" }.joined()
    let rest = refusals.count > 8 ? "; and \(refusals.count - 8) more" : ""
    return [.abandon(reason: (cause.map { "\($0): \(counts)" } ?? counts) + reasons + rest)]
  }
}
