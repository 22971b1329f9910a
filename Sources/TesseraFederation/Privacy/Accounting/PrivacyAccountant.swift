/// Adds up what releases on the same data cost together, and says it as (ε, δ).
///
/// A randomised algorithm *M* is (ε, δ)-differentially private if for all neighbouring datasets *D*, *D′* and all sets *S* of
/// outcomes, `Pr[M(D) ∈ S] ≤ exp(ε) · Pr[M(D′) ∈ S] + δ`. Mechanisms may be chosen by looking at earlier releases, but
/// their noise may not depend on them.
///
///     var accountant: any PrivacyAccountant = PLDAccountant()
///     try accountant.compose(.gaussian(noiseMultiplier: 4), count: 10)
///     try accountant.compose(.laplace(noiseMultiplier: 20))
///     let epsilon = try accountant.epsilon(delta: 1e-6)
public protocol PrivacyAccountant: Sendable {
  /// What was composed so far; each mechanism stands once, in the order in which they first came.
  var events: [PrivacyEvent] { get }

  /// Adds an event; a failure changes nothing.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration`` if its numbers are impossible, it
  ///   does not fit the neighbours that earlier events were meant for, or this accountant does not know the mechanism.
  mutating func compose(_ event: PrivacyEvent) throws

  /// What everything together costs at a δ.
  ///
  /// - Parameter delta: In `0...1`.
  /// - Returns: An upper bound of the smallest ε for which it is (ε, δ)-DP; infinity if there is none.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  func epsilon(delta: Double) throws -> Double

  /// What everything together costs at an ε.
  ///
  /// - Parameter epsilon: At least 0.
  /// - Returns: An upper bound of the smallest δ for which it is (ε, δ)-DP.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  func delta(epsilon: Double) throws -> Double
}

extension PrivacyAccountant {
  /// Adds a number of uses of a mechanism.
  ///
  /// - Throws: What ``compose(_:)`` throws.
  public mutating func compose(_ mechanism: PrivacyMechanism, count: Int = 1) throws {
    try compose(PrivacyEvent(mechanism, count: count))
  }

  /// Adds events, or none of them if one is refused.
  ///
  /// - Throws: What ``compose(_:)`` throws.
  public mutating func compose(_ events: [PrivacyEvent]) throws {
    var composed = self
    for event in events { try composed.compose(event) }
    self = composed
  }
}

/// The accountants there are, by name, for settings and records.
///
///     var accountant = AccountantKind.pld.makeAccountant()
public enum AccountantKind: String, Codable, Sendable, CaseIterable {
  /// ``RDPAccountant``: fast, and knows all mechanisms; often 5 to 20 % above the truth.
  case rdp
  /// ``PLDAccountant``: as tight as its grid.
  case pld

  /// A new accountant with nothing in it.
  public func makeAccountant() -> any PrivacyAccountant {
    switch self {
    case .rdp: RDPAccountant()
    case .pld: PLDAccountant()
    }
  }
}
