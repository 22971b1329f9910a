/// How much privacy may be spent, and how it is counted.
///
///     let budget = try PrivacyBudget(epsilon: 3, delta: 1e-6, accountant: .pld)
public struct PrivacyBudget: Codable, Sendable, Hashable {
  /// The largest ε allowed, above 0.
  public let epsilon: Double
  /// The δ at which ε is taken, in `0..<1`; usually well below one over the number of records.
  public let delta: Double
  /// Which accountant counts.
  public let accountant: AccountantKind

  /// Makes a budget.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public init(epsilon: Double, delta: Double, accountant: AccountantKind = .rdp) throws {
    guard epsilon > 0, epsilon.isFinite else {
      throw FederationError(
        code: .invalidConfiguration,
        message: "the epsilon of a budget must be above 0 and finite, not \(epsilon)"
      )
    }
    guard delta >= 0, delta < 1 else {
      throw FederationError(
        code: .invalidConfiguration,
        message: "the delta of a budget must be at least 0 and below 1, not \(delta)"
      )
    }
    self.epsilon = epsilon
    self.delta = delta
    self.accountant = accountant
  }

  /// Reads a budget, and checks it.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    try self.init(
      epsilon: container.decode(Double.self, forKey: .epsilon),
      delta: container.decode(Double.self, forKey: .delta),
      accountant: container.decode(AccountantKind.self, forKey: .accountant)
    )
  }

  private enum CodingKeys: CodingKey { case epsilon, delta, accountant }

  static func check(delta: Double) throws {
    guard (0...1).contains(delta) else {
      throw FederationError(
        code: .invalidConfiguration,
        message: "delta must be in 0...1, not \(delta)"
      )
    }
  }

  static func check(epsilon: Double) throws {
    guard epsilon >= 0 else {
      throw FederationError(
        code: .invalidConfiguration,
        message: "epsilon must be at least 0, not \(epsilon)"
      )
    }
  }
}
