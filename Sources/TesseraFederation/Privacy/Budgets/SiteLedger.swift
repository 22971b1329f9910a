/// All that one site has released of its data, by every job it took part in.
///
/// It only grows. What a release cost does not depend on what a server says of it afterwards.
public struct SiteLedger: Sendable, Hashable {
  /// One answer that left the site.
  public struct Release: Codable, Sendable, Hashable {
    /// The site's name.
    public var site: String
    /// The job that it was released to.
    public var job: String
    /// The number that the server gave the task.
    public var step: Int
    /// The round that the server said it was.
    public var round: Int
    /// What was asked for.
    public var task: String
    /// How it was made private.
    public var events: [PrivacyEvent]
    /// SHA-256 of the task, with what the site remembered.
    public var request: String
    /// SHA-256 of the answer.
    public var answer: String

    /// An entry.
    public init(
      site: String,
      job: String,
      step: Int,
      round: Int,
      task: String,
      events: [PrivacyEvent],
      request: String,
      answer: String
    ) {
      self.site = site
      self.job = job
      self.step = step
      self.round = round
      self.task = task
      self.events = events
      self.request = request
      self.answer = answer
    }
  }

  /// The site's name.
  public let site: String
  /// What was released, in that order.
  public private(set) var releases: [Release] = []

  /// A ledger with nothing in it.
  public init(of site: String) { self.site = site }

  /// Adds a release.
  ///
  /// - Returns: Whether it is new: the very same answer to the very same task is there once.
  @discardableResult
  mutating func add(_ release: Release) -> Bool {
    guard !releases.contains(release) else { return false }
    releases.append(release)
    return true
  }

  /// What has been spent.
  ///
  /// - Parameters:
  ///   - budget: The δ, and who counts.
  ///   - job: Only what this job has cost; all if `nil`.
  ///   - events: What is to be counted besides.
  /// - Returns: The ε.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration`` if an event is impossible, or the
  ///   accountant cannot count it with the others.
  public func spent(
    under budget: PrivacyBudget,
    by job: String? = nil,
    with events: [PrivacyEvent] = []
  ) throws -> Double {
    try budget.epsilon(
      of: releases.filter { job == nil || $0.job == job }.flatMap(\.events) + events
    )
  }

  /// What each job has cost for itself, by name.
  ///
  /// Costs do not simply add up: together the jobs have cost ``spent(under:by:with:)``, which is no more than their sum.
  ///
  /// - Throws: As ``spent(under:by:with:)``.
  public func spentByJob(under budget: PrivacyBudget) throws -> [String: Double] {
    try Dictionary(grouping: releases, by: \.job).mapValues {
      try budget.epsilon(of: $0.flatMap(\.events))
    }
  }
}

extension PrivacyBudget {
  /// The ε that events cost together at the budget's δ, counted as the budget says.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration`` if an event is impossible, or the
  ///   accountant cannot count it with the others.
  public func epsilon(of events: [PrivacyEvent]) throws -> Double {
    var accountant = accountant.makeAccountant()
    // Each mechanism once: an accountant's work is for each, not for each use.
    var tally = EventTally()
    for event in events { try tally.add(event) }
    try accountant.compose(tally.events)
    return try accountant.epsilon(delta: delta)
  }

  /// Refuses events that cost more than is allowed together with earlier ones.
  ///
  /// - Parameters:
  ///   - events: What is about to be released.
  ///   - earlier: What was.
  ///   - owner: Whose budget it is.
  ///   - round: For the message.
  ///   - purpose: What is about to be released, for the message.
  /// - Returns: The ε of all of them together.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/budgetExhausted`` naming owner, round and amounts.
  @discardableResult
  func requireRoom(
    for events: [PrivacyEvent],
    after earlier: [PrivacyEvent],
    of owner: String,
    round: Int,
    purpose: String
  ) throws -> Double {
    let after: Double
    do {
      after = try epsilon(of: earlier + events)
    } catch let error as FederationError {
      throw FederationError(code: error.code, message: "\(owner): round \(round): \(error.message)")
    }
    // So that an amount that is no number is too much.
    guard !(after <= epsilon) else { return after }
    throw FederationError(
      code: .budgetExhausted,
      message: """
        \(owner): round \(round): '\(purpose)' would overspend the privacy budget: epsilon spent \
        \(Self.amount(try epsilon(of: earlier))), with it \(Self.amount(after)), allowed \(epsilon), \
        at delta \(delta)
        """
    )
  }

  /// Rounded up, so that an amount above what is allowed also reads so.
  static func amount(_ epsilon: Double) -> Double {
    guard epsilon < 1e9 else { return epsilon }
    return (epsilon * 1e6).rounded(.up) / 1e6
  }
}
