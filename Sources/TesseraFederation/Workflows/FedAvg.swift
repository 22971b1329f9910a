public import TesseraCore

/// Federated averaging: each round some sites train the global model, and their mean is the next one
/// (McMahan et al., 2017).
public struct FedAvg: Workflow {
  /// How many rounds there are at most.
  public let rounds: Int
  /// How many sites there are.
  public let siteCount: Int
  /// How many of them are asked in each round.
  public let sitesPerRound: Int
  /// How many of them must give a usable update.
  public let minimumSites: Int
  /// The run ends when the global model is this good.
  public let targetAccuracy: Double?
  /// The round under way, or done last.
  public private(set) var round = 0
  private let key: RandomKey
  private var phase = Phase.idle

  private enum Phase {
    /// Nothing has been asked. Ends with `started`.
    case idle
    /// Waiting for answers. Ends when all have come, or the deadline has passed.
    case gathering(pending: Set<Int>, accepted: Int, refusals: [String])
    /// Waiting for the measurement of the new model.
    case evaluating
    /// Nothing more happens.
    case finished
  }

  /// A workflow over some sites.
  ///
  /// - Parameters:
  ///   - rounds: How many rounds there are at most.
  ///   - sites: How many sites there are.
  ///   - fraction: The share of the sites that is asked in each round, above 0 and at most 1; drawn anew each round.
  ///   - minimumSites: How many of them must give a usable update.
  ///   - targetAccuracy: The run ends when the global model is this good.
  ///   - key: Draws the sites of each round.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public init(
    rounds: Int,
    sites: Int,
    fraction: Double = 1,
    minimumSites: Int = 1,
    targetAccuracy: Double? = nil,
    key: RandomKey
  ) throws {
    func invalid(_ message: String) -> FederationError {
      FederationError(code: .invalidConfiguration, message: message)
    }
    guard rounds >= 1 else { throw invalid("there must be at least 1 round, not \(rounds)") }
    guard sites >= 1 else { throw invalid("there must be at least 1 site, not \(sites)") }
    guard fraction > 0, fraction <= 1 else {
      throw invalid("the fraction of sites must be above 0 and at most 1, not \(fraction)")
    }
    let asked = Self.sitesPerRound(of: sites, fraction: fraction)
    guard (1...asked).contains(minimumSites) else {
      throw invalid("the minimum of sites must be in 1...\(asked), not \(minimumSites)")
    }
    self.rounds = rounds
    siteCount = sites
    sitesPerRound = asked
    self.minimumSites = minimumSites
    self.targetAccuracy = targetAccuracy
    self.key = key
  }

  /// How many sites a fraction of them is: at least one.
  public static func sitesPerRound(of sites: Int, fraction: Double) -> Int {
    max(1, Int((Double(sites) * fraction).rounded()))
  }

  /// Takes an event and says what follows from it.
  public mutating func handle(_ event: WorkflowEvent) -> [WorkflowAction] {
    switch (phase, event) {
    case (.idle, .started(let done)):
      round = done
      return nextRound()
    case (.gathering(var pending, var accepted, var refusals), .accepted(let site, _)):
      // Leaving the phase first keeps the set's storage unshared.
      phase = .idle
      if pending.remove(site) != nil { accepted += 1 }
      return settle(pending, accepted, refusals: &refusals)
    case (.gathering(var pending, let accepted, var refusals), .rejected(let site, let reason)):
      phase = .idle
      if pending.remove(site) != nil { refusals.append(reason) }
      return settle(pending, accepted, refusals: &refusals)
    case (.gathering(let pending, let accepted, var refusals), .deadlinePassed):
      if !pending.isEmpty { refusals.append("\(pending.count) sites did not answer in time") }
      return settle([], accepted, refusals: &refusals)
    case (.evaluating, .evaluated(let accuracy)):
      if let targetAccuracy, accuracy >= targetAccuracy {
        phase = .finished
        return [.finish(.targetReached)]
      }
      return nextRound()
    default:
      return []
    }
  }

  private mutating func nextRound() -> [WorkflowAction] {
    guard round < rounds else {
      phase = .finished
      return [.finish(.allRounds)]
    }
    round += 1
    let asked = sites(of: round)
    phase = .gathering(pending: Set(asked), accepted: 0, refusals: [])
    return [.ask(sites: asked, round: round)]
  }

  private mutating func settle(
    _ pending: Set<Int>,
    _ accepted: Int,
    refusals: inout [String]
  ) -> [WorkflowAction] {
    guard pending.isEmpty else {
      phase = .gathering(pending: pending, accepted: accepted, refusals: refusals)
      return []
    }
    guard accepted >= minimumSites else {
      phase = .finished
      // Answers come in any order; the message does not depend on it.
      let reasons = refusals.sorted().map { "; \($0)" }.joined()
      return [
        .abandon(
          round: round,
          reason: """
            round \(round): \(accepted) of \(sitesPerRound) sites gave a usable update, \
            \(minimumSites) are needed\(reasons)
            """
        )
      ]
    }
    phase = .evaluating
    return [.aggregate(round: round)]
  }

  /// The sites of a round, in ascending order: a partial Fisher–Yates shuffle from the round's key.
  private func sites(of round: Int) -> [Int] {
    guard sitesPerRound < siteCount else { return Array(0..<siteCount) }
    var numbers = KeyedRandomNumbers(key: key["sites"][round])
    var all = Array(0..<siteCount)
    for position in 0..<sitesPerRound {
      all.swapAt(position, Int.random(in: position..<siteCount, using: &numbers))
    }
    return all.prefix(sitesPerRound).sorted()
  }
}
