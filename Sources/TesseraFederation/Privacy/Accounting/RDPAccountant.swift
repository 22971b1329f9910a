internal import Foundation

/// Accounts by Rényi differential privacy (Mironov, 2017).
///
/// For each of a list of orders α it adds up the Rényi divergences of what neighbours would have made likely,
/// `D_α(P‖Q) = log E_Q[(P/Q)^α] / (α - 1)`, and takes the order that proves most:
///
///     ε(δ) = min over α of  Σ D_α + log(1 - 1/α) - log(δ·α) / (α - 1)
///
/// (Canonne, Kamath & Steinke, 2020, proposition 12). Where the divergence is so small that the total variation distance is
/// at most δ, ε is 0 (Bretagnolle & Huber, 1979: `TV ≤ √(1 - exp(-KL))`, and `KL ≤ D_α`).
///
///     var accountant = RDPAccountant()
///     try accountant.compose(.subsampledGaussian(noiseMultiplier: 1, samplingRate: 0.01), count: 1_000)
///     let epsilon = try accountant.epsilon(delta: 1e-5)  // 2.10
public struct RDPAccountant: PrivacyAccountant {
  /// 1.1, 1.2, … 10.9, 11, 12, … 63, 128, 256, 512, 1024: good for ε between about 0.1 and 50.
  public static let defaultOrders: [Double] = {
    let small = (1...99).map { 1 + Double($0) / 10 }
    let whole = (11...63).map { Double($0) }
    return small + whole + [128, 256, 512, 1024]
  }()

  /// The largest order allowed: work grows with it.
  public static let largestOrder = 65_536.0

  /// The orders α, each above 1.
  public let orders: [Double]
  /// `Σ D_α` of all events, for each order; may be infinite.
  public private(set) var divergences: [Double]
  private var tally = EventTally()

  /// What was composed so far.
  public var events: [PrivacyEvent] { tally.events }

  /// An accountant with the default orders.
  public init() {
    orders = Self.defaultOrders
    divergences = orders.map { _ in 0 }
  }

  /// An accountant with other orders.
  ///
  /// - Parameter orders: Each above 1 and at most ``largestOrder``; at least one.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public init(orders: [Double]) throws {
    guard !orders.isEmpty else {
      throw FederationError(
        code: .invalidConfiguration,
        message: "Rényi accounting needs at least one order"
      )
    }
    for order in orders where !(order > 1 && order <= Self.largestOrder) {
      throw FederationError(
        code: .invalidConfiguration,
        message: "a Rényi order must be above 1 and at most \(Self.largestOrder), not \(order)"
      )
    }
    self.orders = orders
    divergences = orders.map { _ in 0 }
  }

  /// Adds an event; a failure changes nothing.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public mutating func compose(_ event: PrivacyEvent) throws {
    try tally.add(event)
    guard event.count > 0 else { return }
    let one = RenyiDivergence.of(event.mechanism, orders: orders)
    for index in orders.indices { divergences[index] += Double(event.count) * one[index] }
  }

  /// The smallest ε that one of the orders proves, for a δ in `0...1`.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public func epsilon(delta: Double) throws -> Double {
    try PrivacyBudget.check(delta: delta)
    if delta == 1 { return 0 }
    // The order at infinity needs no conversion.
    var best = tally.pureEpsilon
    guard delta > 0 else { return best }
    for (order, divergence) in zip(orders, divergences) {
      if delta * delta > -expm1(-divergence) { return 0 }
      guard order >= Self.smallestConvertedOrder else { continue }
      let epsilon = divergence + log1p(-1 / order) - log(delta * order) / (order - 1)
      best = min(best, epsilon)
    }
    return max(0, best)
  }

  /// The smallest δ that one of the orders proves, for an ε of at least 0.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public func delta(epsilon: Double) throws -> Double {
    try PrivacyBudget.check(epsilon: epsilon)
    if epsilon >= tally.pureEpsilon { return 0 }
    var best = 0.0
    for (order, divergence) in zip(orders, divergences) {
      best = min(best, log(-expm1(-divergence)) / 2)
      guard order >= Self.smallestConvertedOrder else { continue }
      let exponent = (order - 1) * (divergence - epsilon + log1p(-1 / order)) - log(order)
      best = min(best, exponent)
    }
    return exp(best)
  }

  /// Below it, the conversion proves nothing of use and loses its digits.
  private static let smallestConvertedOrder = 1.01
}
