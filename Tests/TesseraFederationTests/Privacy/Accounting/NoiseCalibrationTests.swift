import TesseraFederation
import Testing

@Suite struct NoiseCalibrationTests {
  @Test func theExactGaussianAgreesWithFiftyDigits() throws {
    for reference in try PrivacyFixture.read().gaussian {
      let mechanism = try AnalyticGaussianMechanism(noiseMultiplier: reference.noiseMultiplier)
      let delta = try mechanism.delta(epsilon: reference.epsilon)
      #expect(agree(delta, reference.delta, relative: 1e-8), "\(reference): \(delta)")
      guard reference.epsilon > 0 else { continue }
      let epsilon = try mechanism.epsilon(delta: reference.delta)
      #expect(agree(epsilon, reference.epsilon, relative: 1e-8), "\(reference): \(epsilon)")
      let found = try AnalyticGaussianMechanism(epsilon: reference.epsilon, delta: reference.delta)
      #expect(
        agree(found.noiseMultiplier, reference.noiseMultiplier, relative: 1e-8),
        "\(reference): \(found)"
      )
    }
  }

  @Test func theExactGaussianHasTheLeastNoise() throws {
    for (epsilon, delta) in [(0, 1e-3), (1e-3, 1e-9), (1, 1e-5), (20, 1e-10), (1000, 0.5)] {
      let noise = try AnalyticGaussianMechanism(epsilon: epsilon, delta: delta).noiseMultiplier
      #expect(
        try AnalyticGaussianMechanism(noiseMultiplier: noise).delta(epsilon: epsilon) <= delta
      )
      let less = try AnalyticGaussianMechanism(noiseMultiplier: noise * (1 - 1e-6))
      #expect(try less.delta(epsilon: epsilon) > delta)
    }
  }

  @Test func theExactGaussianRefusesWhatNoNoiseGives() throws {
    for (epsilon, delta) in [
      (1, 0), (1, 1), (-1, 1e-5), (Double.nan, 1e-5), (.infinity, 1e-5), (1, .nan), (1, -0.5),
    ] {
      #expect(throws: FederationError.self, "\(epsilon) \(delta)") {
        try AnalyticGaussianMechanism(epsilon: epsilon, delta: delta)
      }
    }
    for noise in [0, -1, Double.nan, .infinity] {
      #expect(throws: FederationError.self) {
        try AnalyticGaussianMechanism(noiseMultiplier: noise)
      }
    }
    let mechanism = try AnalyticGaussianMechanism(noiseMultiplier: 1)
    #expect(try mechanism.epsilon(delta: 0) == .infinity)
    #expect(try mechanism.epsilon(delta: 1) == 0)
    #expect(throws: FederationError.self) { try mechanism.epsilon(delta: 2) }
    #expect(throws: FederationError.self) { try mechanism.delta(epsilon: -1) }
  }

  @Test func calibratedNoiseAgreesWithTheReference() throws {
    for reference in try PrivacyFixture.read().calibrations {
      let found = try NoiseCalibration(reference.budget, tolerance: 1e-4)
        .noiseMultiplier(samplingRate: reference.samplingRate, count: reference.count)
      #expect(
        agree(found, reference.noiseMultiplier, relative: 3e-4),
        "\(reference): \(found)"
      )
    }
  }

  @Test(arguments: AccountantKind.allCases)
  func calibratedNoiseMeetsTheBudgetAndIsTight(kind: AccountantKind) throws {
    for (epsilon, rate, count) in [(0.5, 0.05, 20), (4, 1.0, 3), (30, 1.0, 1)] {
      let budget = try PrivacyBudget(epsilon: epsilon, delta: 1e-6, accountant: kind)
      let tolerance = 1e-3
      let noise = try NoiseCalibration(budget, tolerance: tolerance)
        .noiseMultiplier(samplingRate: rate, count: count)
      func spent(_ noise: Double) throws -> Double {
        var accountant = kind.makeAccountant()
        try accountant.compose(
          .subsampledGaussian(noiseMultiplier: noise, samplingRate: rate),
          count: count
        )
        return try accountant.epsilon(delta: 1e-6)
      }
      #expect(try spent(noise) <= epsilon)
      #expect(try spent(noise * (1 - tolerance)) > epsilon)
    }
  }

  @Test func whatWasSpentBeforeLeavesRoomForLess() throws {
    let budget = try PrivacyBudget(epsilon: 2, delta: 1e-6)
    let calibration = try NoiseCalibration(budget)
    let before = [PrivacyEvent(.laplace(noiseMultiplier: 2))]
    let fresh = try calibration.noiseMultiplier(count: 10)
    let later = try calibration.noiseMultiplier(count: 10, after: before)
    #expect(later > fresh)
    var accountant = RDPAccountant()
    try accountant.compose(before + [PrivacyEvent(.gaussian(noiseMultiplier: later), count: 10)])
    #expect(try accountant.epsilon(delta: 1e-6) <= 2)
  }

  @Test(arguments: AccountantKind.allCases)
  func anyMechanismCanBeCalibrated(kind: AccountantKind) throws {
    let budget = try PrivacyBudget(epsilon: 1, delta: 0, accountant: kind)
    let scale = try NoiseCalibration(budget, tolerance: 1e-6).smallest { scale in
      [PrivacyEvent(.laplace(noiseMultiplier: scale), count: 5)]
    }
    #expect(scale >= 5)
    #expect(scale <= 5 * (1 + 2e-6))
  }

  @Test(arguments: AccountantKind.allCases)
  func whatNoNoiseCanMeetIsRefused(kind: AccountantKind) throws {
    let budget = try PrivacyBudget(epsilon: 1, delta: 1e-6, accountant: kind)
    let error = #expect(throws: FederationError.self) {
      try NoiseCalibration(budget)
        .noiseMultiplier(count: 1, after: [PrivacyEvent(.pure(epsilon: 3))])
    }
    #expect(error?.code == .budgetExhausted)
    let calibration = try NoiseCalibration(budget)
    for (rate, count) in [(0, 1), (-1, 1), (2, 1), (Double.nan, 1), (0.5, 0), (0.5, -3)] {
      let error = #expect(throws: FederationError.self) {
        try calibration.noiseMultiplier(samplingRate: rate, count: count)
      }
      #expect(error?.code == .invalidConfiguration)
    }
    for tolerance in [0, -1, 1, Double.nan] {
      #expect(throws: FederationError.self) { try NoiseCalibration(budget, tolerance: tolerance) }
    }
  }
}
