internal import Synchronization
internal import TesseraCore

/// How much privacy a site may spend, and where it notes what it has spent.
struct SiteAllowance: Sendable {
  var budget: PrivacyBudget
  var ledgers: any PrivacyLedgerStore
  var job: String
}

/// What one answer of a site costs, and whether it may leave.
///
/// Charges of the executor and of the filters are collected while the answer is made. Then the answer is entered into the
/// site's ledger as a whole, and only then does it leave. The ledger knows a release by the task, what the site remembered,
/// and the answer: if all of it is the same, because a task is repeated after a crash, the same bits leave once more and cost
/// nothing. Whatever differs is another release.
final class SitePrivacy: Sendable {
  private struct State {
    var events: [PrivacyEvent] = []
    var isCharged = false
    var isFreeOfData = false
    var covered: Set<String> = []
    /// A filter has made all models of the answer private: what follows is computed from what may be known.
    var modelsArePrivate = false
    /// The sum whose noise makes the answer private.
    var session: String?
  }
  private let allowance: SiteAllowance
  private let task: SiteTask
  private let identity: TaskIdentity
  private let decided: @Sendable (SiteDecision) throws -> Void
  private let state = Mutex(State())

  /// The header that names the measurements that were kept back.
  static let withheldHeader = "withheld measurements"

  init(
    _ allowance: SiteAllowance,
    task: SiteTask,
    identity: TaskIdentity,
    decided: @escaping @Sendable (SiteDecision) throws -> Void
  ) {
    self.decided = decided
    self.allowance = allowance
    self.task = task
    self.identity = identity
  }

  /// Notes a charge of the executor, and refuses it at once if there is no room for it.
  func charge(
    _ events: [PrivacyEvent],
    for purpose: String,
    covering measurements: Set<String>
  ) throws {
    let all = state.withLock { state in
      state.events += events
      state.isCharged = true
      state.covered.formUnion(measurements)
      return state.events
    }
    let ledger = try allowance.ledgers.ledger(of: task.site.name)
    // A task that is repeated may be there already, whatever is left.
    let request = try identity.digest()
    guard !ledger.releases.contains(where: { $0.request == request }) else { return }
    _ = try tellingRefusals {
      try allowance.budget.requireRoom(
        for: all,
        after: ledger.releases.flatMap(\.events),
        of: task.site.name,
        round: task.round,
        purpose: purpose
      )
    }
  }

  /// Notes that the answer, or some of its measurements, say nothing of the data.
  func declareFreeOfData(_ measurements: Set<String>?) {
    state.withLock { state in
      if let measurements {
        state.covered.formUnion(measurements)
      } else {
        state.isFreeOfData = true
      }
    }
  }

  /// Looks at a filter that the answer is about to pass.
  func visit(
    _ filter: any Filter,
    _ exchange: Exchange,
    _ context: FilterContext,
    after earlier: [any Filter]
  ) throws {
    let isDone = state.withLock { $0.isCharged || $0.isFreeOfData || $0.modelsArePrivate }
    guard !isDone, let filter = filter as? any PrivacySpending else { return }
    let events = try tellingRefusals {
      let events = try filter.privacyEvents(for: exchange, in: context, after: earlier)
      guard events.isEmpty || exchange.hasTensorsInModelsAlone else {
        throw uncovered("has tensors beside its models, which no filter makes private")
      }
      return events
    }
    guard !events.isEmpty else { return }
    state.withLock { state in
      state.events += events
      state.modelsArePrivate = true
    }
  }

  /// Counts on the noise of the sum that an answer is about to be masked for, unless something at the site makes it private.
  ///
  /// Only a model's tensors are summed.
  func protect(_ answer: Exchange, by sum: SumProtection) {
    guard answer.kind.isModel, answer.hasTensorsInModelsAlone, !sum.events.isEmpty else { return }
    state.withLock { state in
      guard !state.isCharged, !state.isFreeOfData, !state.modelsArePrivate else { return }
      state.events += sum.events
      state.modelsArePrivate = true
      state.session = sum.session
    }
  }

  /// Takes out of an answer what nothing makes private: measurements, and free text.
  func withhold(from answer: inout Exchange) {
    let (isFree, covered) = state.withLock { ($0.isFreeOfData, $0.covered) }
    guard !isFree else { return }
    var withheld = Set(
      (answer.headers[Self.withheldHeader] ?? "").split(separator: ", ").map(String.init)
    )
    answer.withholdMeasurements(except: covered, names: &withheld)
    if !withheld.isEmpty {
      answer.headers = [Self.withheldHeader: withheld.sorted().joined(separator: ", ")]
    }
  }

  /// Enters the answer into the ledger, or refuses that it leaves.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/budgetExhausted`` naming the site, the round and the amounts
  ///   if it would overspend; ``FederationError/Code/invalidConfiguration`` if nothing makes it private.
  func release(_ answer: Exchange) throws {
    guard let cost = try tellingRefusals({ try enter(answer) }) else { return }
    try decided(cost)
  }

  /// Tells the site's log what the budget refuses.
  private func tellingRefusals<Value>(_ body: () throws -> Value) throws -> Value {
    do { return try body() } catch let error as FederationError {
      try decided(.keptBack(reason: error.message))
      throw error
    }
  }

  /// Enters the answer into the ledger, if it has to be there.
  ///
  /// - Returns: What it costs.
  private func enter(_ answer: Exchange) throws -> SiteDecision? {
    let state = state.withLock { $0 }
    guard !state.isFreeOfData else { return nil }
    guard state.isCharged || state.modelsArePrivate else {
      // Measurements that something covers are all that may leave uncharged.
      if answer.isEmpty, answer.headers[Self.withheldHeader] == nil { return nil }
      if !answer.hasTensors, answer.hasMeasurements { return nil }
      throw uncovered("needs something that makes it private, and nothing does")
    }
    guard state.isCharged || answer.hasTensorsInModelsAlone else {
      throw uncovered("has tensors beside its models, which no filter makes private")
    }
    var released = answer
    // The same update in another sum is another release.
    if let session = state.session { released.headers["session"] = session }
    let release = SiteLedger.Release(
      site: task.site.name,
      job: allowance.job,
      step: task.step,
      round: task.round,
      task: task.name.description,
      events: state.events,
      request: try identity.digest(),
      answer: try released.digest()
    )
    let budget = allowance.budget
    var spent: Double?
    try allowance.ledgers.enter(release) { ledger in
      spent = try budget.requireRoom(
        for: state.events,
        after: ledger.releases.flatMap(\.events),
        of: task.site.name,
        round: task.round,
        purpose: "answer"
      )
    }
    // One that was there before is not examined again.
    guard let spent else {
      let before = try allowance.ledgers.ledger(of: task.site.name).spent(under: budget)
      return .charged(epsilon: 0, delta: budget.delta, left: max(0, budget.epsilon - before))
    }
    return .charged(
      epsilon: try budget.epsilon(of: state.events),
      delta: budget.delta,
      left: max(0, budget.epsilon - spent)
    )
  }

  private func uncovered(_ reason: String) -> FederationError {
    FederationError(
      code: .invalidConfiguration,
      message: """
        \(task.site.name): round \(task.round): the site has a privacy budget, and its answer to \
        '\(task.name)' \(reason)
        """
    )
  }
}

extension Exchange {
  /// Whether it has tensors, also in parts.
  fileprivate var hasTensors: Bool {
    !tensors.names.isEmpty || parts.values.contains { $0.hasTensors }
  }

  /// Whether it has measurements, also in parts.
  fileprivate var hasMeasurements: Bool {
    !metrics.isEmpty || parts.values.contains { $0.hasMeasurements }
  }

  /// Whether there is nothing in it.
  fileprivate var isEmpty: Bool { !hasTensors && !hasMeasurements }

  /// Whether all its tensors belong to models: those are what filters make private.
  fileprivate var hasTensorsInModelsAlone: Bool {
    if kind.isModel { return !parts.values.contains { $0.hasTensors } }
    return tensors.names.isEmpty && parts.values.allSatisfy(\.hasTensorsInModelsAlone)
  }

  /// Removes measurements and free text, those of parts too.
  fileprivate mutating func withholdMeasurements(
    except covered: Set<String>,
    names: inout Set<String>
  ) {
    for name in metrics.keys where !covered.contains(name) {
      metrics[name] = nil
      names.insert(name)
    }
    headers = [:]
    for name in parts.keys { parts[name]?.withholdMeasurements(except: covered, names: &names) }
  }
}
