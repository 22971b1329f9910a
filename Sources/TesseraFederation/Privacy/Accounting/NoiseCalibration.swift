internal import Foundation

/// Finds the least noise that keeps within a budget.
///
///     let budget = try PrivacyBudget(epsilon: 3, delta: 1e-6, accountant: .pld)
///     let calibration = try NoiseCalibration(budget)
///     let noise = try calibration.noiseMultiplier(samplingRate: 0.01, count: 1_000)
///
/// For a single Gaussian release ``AnalyticGaussianMechanism`` is exact.
public struct NoiseCalibration: Sendable, Hashable {
  /// What may be spent.
  public let budget: PrivacyBudget
  /// How far above the least noise the result may be, as a share of it.
  public let tolerance: Double

  /// Makes a calibration.
  ///
  /// - Parameters:
  ///   - budget: What may be spent; with a δ of 0 no Gaussian noise is enough.
  ///   - tolerance: How far above the least noise the result may be, as a share of it, in `1e-9...0.1`.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public init(_ budget: PrivacyBudget, tolerance: Double = 1e-4) throws {
    guard (1e-9...0.1).contains(tolerance) else {
      throw FederationError(
        code: .invalidConfiguration,
        message: "the tolerance of a calibration must be in 1e-9...0.1, not \(tolerance)"
      )
    }
    self.budget = budget
    self.tolerance = tolerance
  }

  /// The noise multiplier for a number of Gaussian releases on Poisson samples: steps of DP-SGD, or rounds.
  ///
  /// - Parameters:
  ///   - samplingRate: The probability with which each record, or site, takes part; 1 for all of them each time.
  ///   - count: How many releases, at least 1.
  ///   - spent: What the same data has already been used for.
  /// - Returns: A multiplier within the budget; with a share of ``tolerance`` less it would not be.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``;
  ///   ``FederationError/Code/budgetExhausted`` if no noise is enough.
  public func noiseMultiplier(
    samplingRate: Double = 1,
    count: Int,
    after spent: [PrivacyEvent] = []
  ) throws -> Double {
    guard count >= 1, samplingRate > 0 else {
      throw FederationError(
        code: .invalidConfiguration,
        message: """
          noise is calibrated for at least 1 release and a sampling rate above 0, not \(count) and \
          \(samplingRate)
          """
      )
    }
    return try smallest { noise in
      let mechanism: PrivacyMechanism =
        samplingRate == 1
        ? .gaussian(noiseMultiplier: noise)
        : .subsampledGaussian(noiseMultiplier: noise, samplingRate: samplingRate)
      return spent + [PrivacyEvent(mechanism, count: count)]
    }
  }

  /// The smallest number, a noise multiplier or a scale, whose events keep within the budget.
  ///
  /// The larger the number, the more private the events must be. The range searched is 2^-20 to 2^40.
  ///
  /// - Parameter events: The events for a number above 0.
  /// - Returns: A number within the budget; with a share of ``tolerance`` less it would not be, unless it is 2^-20.
  /// - Throws: What `events` throws; ``FederationError`` with code ``FederationError/Code/invalidConfiguration``;
  ///   ``FederationError/Code/budgetExhausted`` if no number is large enough.
  public func smallest(_ events: @escaping (Double) throws -> [PrivacyEvent]) throws -> Double {
    func search(
      from guess: Double,
      ratio: Double,
      tolerance: Double,
      by kind: AccountantKind
    )
      throws -> Double
    {
      var search = Search(budget: budget) { noise in
        var accountant = kind.makeAccountant()
        try accountant.compose(events(noise))
        return try accountant.epsilon(delta: budget.delta)
      }
      try search.bracket(around: guess, ratio: ratio)
      return try search.bisect(tolerance: tolerance)
    }
    guard budget.accountant == .pld else {
      return try search(from: 1, ratio: 2, tolerance: tolerance, by: budget.accountant)
    }
    // The faster accountant is seldom far above, so the slower one need not look everywhere.
    let guess = try? search(from: 1, ratio: 2, tolerance: 0.01, by: .rdp)
    return try search(from: guess ?? 1, ratio: 1.1, tolerance: tolerance, by: .pld)
  }
}

/// Two amounts of noise, of which the larger is enough and the smaller is not, brought together.
private struct Search {
  private let budget: PrivacyBudget
  private let epsilon: (Double) throws -> Double
  private var enough = (noise: 1.0, epsilon: 0.0)
  private var tooLittle = (noise: 1.0, epsilon: Double.infinity)

  init(budget: PrivacyBudget, epsilon: @escaping (Double) throws -> Double) {
    self.budget = budget
    self.epsilon = epsilon
  }

  /// Tries a noise; whether it is enough.
  private mutating func attempt(_ noise: Double) throws -> Bool {
    let found = (noise: noise, epsilon: try epsilon(noise))
    let isEnough = found.epsilon <= budget.epsilon
    if isEnough { enough = found } else { tooLittle = found }
    return isEnough
  }

  /// Finds two in steps that begin with a ratio and grow; if the smallest there is, is enough, both are that.
  mutating func bracket(around guess: Double, ratio: Double) throws {
    var ratio = ratio
    if try attempt(guess) {
      while enough.noise > 0x1p-20 {
        if try !attempt(max(enough.noise / ratio, 0x1p-20)) { return }
        ratio *= ratio
      }
      tooLittle = enough
      return
    }
    while tooLittle.noise < 0x1p40 {
      if try attempt(min(tooLittle.noise * ratio, 0x1p40)) { return }
      ratio *= ratio
    }
    throw FederationError(
      code: .budgetExhausted,
      message: """
        no noise keeps within epsilon \(budget.epsilon) at delta \(budget.delta) by \
        '\(budget.accountant.rawValue)'
        """
    )
  }

  /// Brings both together to a share of the larger, and gives that.
  ///
  /// Two times of three it does not try the middle but where the line through both, in logarithms, meets the budget.
  mutating func bisect(tolerance: Double) throws -> Double {
    var step = 0
    while enough.noise - tooLittle.noise > tolerance * enough.noise {
      var next = (tooLittle.noise + enough.noise) / 2
      let ends = (log(tooLittle.epsilon), log(enough.epsilon))
      if step % 3 < 2, ends.0.isFinite, ends.1.isFinite, ends.0 > ends.1 {
        let share = (ends.0 - log(budget.epsilon)) / (ends.0 - ends.1)
        next = tooLittle.noise * pow(enough.noise / tooLittle.noise, share)
        // Not at an end, or the other one would never move.
        let margin = 0.4 * tolerance * enough.noise
        next = min(max(next, tooLittle.noise + margin), enough.noise - margin)
      }
      _ = try attempt(next)
      step += 1
    }
    return enough.noise
  }
}
