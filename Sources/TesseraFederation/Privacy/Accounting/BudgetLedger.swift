internal import Foundation

/// What a site, or a job, has released about its data, against what it may.
///
///     var ledger = BudgetLedger(owner: "site-1", budget: try PrivacyBudget(epsilon: 3, delta: 1e-6))
///     try ledger.charge(
///       BudgetLedger.Entry(
///         id: "job-7/round-1",
///         round: 1,
///         purpose: "update",
///         events: [PrivacyEvent(.gaussian(noiseMultiplier: 8))]
///       )
///     )
///     let left = try ledger.remaining()
///
/// Charge before anything is released, and keep the ledger where it survives a crash before the release goes out: then
/// a round that is replayed finds its entry there, and is not counted twice.
public struct BudgetLedger: Codable, Sendable, Hashable {
  /// Whose it is: the name of a site or of a job.
  public let owner: String
  /// What may be spent.
  public let budget: PrivacyBudget
  /// What was charged, in that order.
  public private(set) var entries: [Entry] = []
  private var positions: [String: Int] = [:]

  /// A release, and what it cost.
  public struct Entry: Codable, Sendable, Hashable {
    /// What makes the release unique, such as "job-7/round-3/update": a replay has the same.
    public var id: String
    /// In which round it was.
    public var round: Int
    /// What was released, for a person who reads the ledger.
    public var purpose: String
    /// How it was made private.
    public var events: [PrivacyEvent]

    /// Makes an entry.
    public init(id: String, round: Int, purpose: String, events: [PrivacyEvent]) {
      self.id = id
      self.round = round
      self.purpose = purpose
      self.events = events
    }
  }

  /// A ledger with nothing in it.
  public init(owner: String, budget: PrivacyBudget) {
    self.owner = owner
    self.budget = budget
  }

  /// The ε spent so far, at the budget's δ.
  ///
  /// - Throws: ``FederationError``.
  public func spent() throws -> Double { try spent(with: []) }

  /// The ε that is left: the budget's less what is spent, at least 0.
  ///
  /// Since costs do not simply add up, more may fit in than its share of this.
  ///
  /// - Throws: ``FederationError``.
  public func remaining() throws -> Double { max(0, budget.epsilon - (try spent())) }

  /// The ε that would be spent with these events too.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration`` if an event is impossible, or the
  ///   accountant does not know its mechanism.
  public func spent(with events: [PrivacyEvent]) throws -> Double {
    try budget.epsilon(of: entries.flatMap(\.events) + events)
  }

  /// Enters a release if it keeps within the budget; a refusal changes nothing.
  ///
  /// - Parameter entry: If its id is there already, with the same content, nothing happens.
  /// - Returns: Whether it is new.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/budgetExhausted`` naming the owner, the round and the amounts if it
  ///   would overspend; ``FederationError/Code/invalidConfiguration`` if the id is there with other content, or an event
  ///   is impossible.
  @discardableResult
  public mutating func charge(_ entry: Entry) throws -> Bool {
    if let position = positions[entry.id] {
      guard entries[position] == entry else {
        throw FederationError(
          code: .invalidConfiguration,
          message: """
            \(owner): round \(entry.round): the release '\(entry.id)' is in the ledger already, with other \
            content
            """
        )
      }
      return false
    }
    try budget.requireRoom(
      for: entry.events,
      after: entries.flatMap(\.events),
      of: owner,
      round: entry.round,
      purpose: entry.purpose
    )
    positions[entry.id] = entries.count
    entries.append(entry)
    return true
  }

  /// Takes an entry back, which is only right if nothing of it was released, and nothing will be.
  ///
  /// - Returns: Whether there was such an entry.
  @discardableResult
  public mutating func withdraw(id: String) -> Bool {
    guard let position = positions[id] else { return false }
    entries.remove(at: position)
    positions = Self.positions(of: entries)
    return true
  }

  private static func positions(of entries: [Entry]) -> [String: Int] {
    var positions: [String: Int] = [:]
    for (index, entry) in entries.enumerated() { positions[entry.id] = index }
    return positions
  }

  /// Reads a ledger, and checks it.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    owner = try container.decode(String.self, forKey: .owner)
    budget = try container.decode(PrivacyBudget.self, forKey: .budget)
    entries = try container.decode([Entry].self, forKey: .entries)
    positions = Self.positions(of: entries)
    guard positions.count == entries.count else {
      throw FederationError(
        code: .invalidConfiguration,
        message: "\(owner): the privacy ledger holds one release twice"
      )
    }
    for entry in entries { for event in entry.events { try event.validate() } }
  }

  private enum CodingKeys: CodingKey { case owner, budget, entries }
}
