import Foundation
import TesseraFederation
import Testing

@Suite struct PLDAccountantTests {
  @Test func epsilonsAndDeltasAgreeWithTheReference() throws {
    for reference in try PrivacyFixture.read().losses {
      let bound = pureEpsilon(of: reference.events)
      var accountant = try PLDAccountant(interval: reference.interval)
      try accountant.compose(reference.events)
      // Both join the dots of one grid, and are above the truth by less than an interval; they cut tails differently.
      for pair in reference.epsilons {
        let found = try accountant.epsilon(delta: pair[0])
        let expected = min(bound, pair[1])
        #expect(
          agree(found, expected, relative: 1e-4, absolute: reference.interval / 100),
          "\(reference.events) at \(pair[0]): \(found), not \(expected)"
        )
      }
      for pair in reference.deltas {
        let found = try accountant.delta(epsilon: pair[0])
        let expected = pair[0] >= bound ? 0 : pair[1]
        #expect(
          agree(found, expected, relative: 1e-4, absolute: 1e-11),
          "\(reference.events) at \(pair[0]): \(found), not \(expected)"
        )
      }
    }
  }

  @Test(arguments: [(0.5, 1), (1, 1), (20, 100), (5, 10), (100, 1000)])
  func composedGaussiansAreNeverBelowTheTruthAndHardlyAbove(noise: Double, count: Int) throws {
    let interval = 1e-3
    // By the accountant they would be merged before anything is composed.
    let once = try PrivacyLossDistribution(
      of: .gaussian(noiseMultiplier: noise),
      interval: interval
    )
    let composed = try PrivacyLossDistribution.composing([(once, count)])
    let exact = try AnalyticGaussianMechanism(
      noiseMultiplier: noise / Double(count).squareRoot()
    )
    for delta in [1e-2, 1e-4, 1e-6, 1e-8, 1e-10] {
      let found = try composed.epsilon(delta: delta)
      let least = try exact.epsilon(delta: delta)
      // Equal at the losses of the grid, but for rounding.
      #expect(found >= least - 1e-12, "\(noise) \(count) \(delta)")
      // The grid adds up to a sixth of its interval squared to each variance: of 1e-4 for the weakest of these.
      #expect(
        found <= least * 1.0017 + interval,
        "\(noise) \(count) \(delta): \(found), not \(least)"
      )
    }
    for epsilon in [0, 0.0123, 0.5, 1, 3] {
      let found = try composed.delta(epsilon: epsilon)
      let least = try exact.delta(epsilon: epsilon)
      #expect(found >= least - 1e-13, "\(noise) \(count) \(epsilon): \(found), not \(least)")
      #expect(found <= least * 1.02 + 1e-11, "\(noise) \(count) \(epsilon): \(found) \(least)")
    }
  }

  @Test func differentGaussiansComposeToOne() throws {
    let interval = 1e-3
    let parts = try [(4.0, 3), (10.0, 20), (2.5, 1)].map { noise, count in
      (
        distribution: try PrivacyLossDistribution(
          of: .gaussian(noiseMultiplier: noise),
          interval: interval
        ),
        count: count
      )
    }
    let precision = 3 / 16.0 + 20 / 100.0 + 1 / 6.25
    let exact = try AnalyticGaussianMechanism(noiseMultiplier: 1 / precision.squareRoot())
    let composed = try PrivacyLossDistribution.composing(parts)
    var accountant = PLDAccountant()
    for (noise, count) in [(4.0, 3), (10.0, 20), (2.5, 1)] {
      try accountant.compose(.gaussian(noiseMultiplier: noise), count: count)
    }
    for delta in [1e-3, 1e-6, 1e-9] {
      let least = try exact.epsilon(delta: delta)
      let found = try composed.epsilon(delta: delta)
      #expect(found >= least)
      #expect(found <= least + interval)
      let merged = try accountant.epsilon(delta: delta)
      #expect(merged >= least)
      #expect(merged <= least + 1e-6)
    }
  }

  @Test func aSampleOfEverythingIsTheGaussian() throws {
    for noise in [0.6, 2, 9] {
      var whole = try PLDAccountant(interval: 1e-3)
      try whole.compose(.gaussian(noiseMultiplier: noise), count: 3)
      var nearly = try PLDAccountant(interval: 1e-3)
      let rate = 1 - 1e-12
      try nearly.compose(
        .subsampledGaussian(noiseMultiplier: noise, samplingRate: rate),
        count: 3
      )
      let expected = try whole.epsilon(delta: 1e-6)
      #expect(agree(try nearly.epsilon(delta: 1e-6), expected, relative: 1e-4))
    }
  }

  @Test func deltaOfASampleIsExactAtTheLossesOfTheGrid() throws {
    // Without composition: δ(ε) = q·δ₀(log(1 + (exp(ε) - 1)/q)) for removing (Balle, Barthe & Gaboardi, 2018).
    for (noise, rate) in [(1.0, 0.01), (0.4, 0.3), (6.0, 0.5), (0.08, 0.2)] {
      let distribution = try PrivacyLossDistribution(
        of: .subsampledGaussian(noiseMultiplier: noise, samplingRate: rate),
        interval: 1e-2
      )
      let exact = try AnalyticGaussianMechanism(noiseMultiplier: noise)
      for step in [0, 1, 7, 20, 60] {
        let epsilon = Double(step) * 1e-2
        let inner = log(1 + (exp(epsilon) - 1) / rate)
        let expected = try rate * exact.delta(epsilon: inner)
        let found = try distribution.delta(epsilon: epsilon)
        #expect(
          agree(found, expected, relative: 1e-9, absolute: 1e-16),
          "\(noise) \(rate) \(epsilon): \(found), not \(expected)"
        )
      }
    }
  }

  @Test func pureMechanismsMatchTheirFormulas() throws {
    let (epsilon, count) = (0.2, 12)
    var accountant = PLDAccountant()
    try accountant.compose(.pure(epsilon: epsilon), count: count)
    // k answers of n that betray: a loss of (2k - n)·ε with binomial probability (Kairouz, Oh & Viswanath, 2015).
    func exact(_ bound: Double) -> Double {
      let likely = 1 / (1 + exp(-epsilon))
      var sum = 0.0
      for k in 0...count {
        var term = 1.0
        for step in 0..<k { term *= likely * Double(count - step) / Double(step + 1) }
        for _ in 0..<count - k { term *= 1 - likely }
        let loss = Double(2 * k - count) * epsilon
        if loss > bound { sum += term * (1 - exp(bound - loss)) }
      }
      return sum
    }
    for bound in [0.1, 0.75, 1.2, 2.3] {
      let found = try accountant.delta(epsilon: bound)
      #expect(found >= exact(bound) - 1e-13)
      #expect(found <= exact(bound) + 1e-5)
    }
    #expect(try accountant.delta(epsilon: 2.4 + 1e-12) == 0)
    #expect(agree(try accountant.epsilon(delta: 0), 2.4, relative: 1e-12))
  }

  @Test func oneLaplaceMatchesItsFormula() throws {
    let distribution = try PrivacyLossDistribution(
      of: .laplace(noiseMultiplier: 0.8),
      interval: 0.01
    )
    for step in [0, 13, 60, 110] {
      let epsilon = Double(step) * 0.01
      let expected = max(0, 1 - exp((epsilon - 1.25) / 2))
      #expect(agree(try distribution.delta(epsilon: epsilon), expected, relative: 1e-9))
    }
  }

  @Test func theLossIsNeverAboveRDPsBound() throws {
    for events in [
      [PrivacyEvent(.subsampledGaussian(noiseMultiplier: 1, samplingRate: 0.05), count: 100)],
      [
        PrivacyEvent(.laplace(noiseMultiplier: 10), count: 10),
        PrivacyEvent(.gaussian(noiseMultiplier: 3)),
      ],
    ] {
      var rdp = RDPAccountant()
      try rdp.compose(events)
      var pld = try PLDAccountant(interval: 1e-3)
      try pld.compose(events)
      for delta in [1e-4, 1e-8] {
        let found = try pld.epsilon(delta: delta)
        let bound = try rdp.epsilon(delta: delta)
        #expect(found < bound)
        #expect(found > bound * 0.75)
      }
    }
  }

  @Test func aCoarserGridIsMorePessimistic() throws {
    var last = 0.0
    for interval in [1e-4, 1e-3, 1e-2, 0.1] {
      var accountant = try PLDAccountant(interval: interval)
      try accountant.compose(
        .subsampledGaussian(noiseMultiplier: 1, samplingRate: 0.05),
        count: 50
      )
      let epsilon = try accountant.epsilon(delta: 1e-5)
      #expect(epsilon >= last)
      last = epsilon
    }
    #expect(last < 10)
  }

  @Test func whatNoGridHoldsIsStillBoundedFromAbove() throws {
    let gaussian = try AnalyticGaussianMechanism(noiseMultiplier: 0.001)
    var accountant = PLDAccountant()
    try accountant.compose(.gaussian(noiseMultiplier: 0.001))
    let least = try gaussian.epsilon(delta: 1e-5)
    let found = try accountant.epsilon(delta: 1e-5)
    #expect(found >= least)
    #expect(found <= least * 1.01)
    for mechanism in [
      PrivacyMechanism.gaussian(noiseMultiplier: 1e-200),
      .subsampledGaussian(noiseMultiplier: .leastNonzeroMagnitude, samplingRate: 0.5),
      .subsampledGaussian(noiseMultiplier: 1e-160, samplingRate: 0.5),
      .laplace(noiseMultiplier: .leastNonzeroMagnitude),
    ] {
      var accountant = PLDAccountant()
      try accountant.compose(mechanism)
      #expect(try accountant.epsilon(delta: 0.1) == .infinity)
      var rdp = RDPAccountant()
      try rdp.compose(mechanism)
      #expect(try rdp.epsilon(delta: 0.1) > 1e100)
    }
    let single = try PrivacyLossDistribution(
      of: .gaussian(noiseMultiplier: 1e-160),
      interval: 1e300
    )
    #expect(try single.delta(epsilon: 1) == 1)
    for count in [1_000_000_000_000, Int.max] {
      for mechanism in [
        PrivacyMechanism.laplace(noiseMultiplier: 1),
        .subsampledGaussian(noiseMultiplier: 1, samplingRate: 0.5),
        .gaussian(noiseMultiplier: 0.001),
      ] {
        var many = PLDAccountant()
        try many.compose(mechanism, count: count)
        #expect(try many.epsilon(delta: 1e-5) > 1e10)
      }
    }
  }

  @Test func distributionsOfDifferentGridsAreNotComposed() throws {
    let a = try PrivacyLossDistribution(of: .gaussian(noiseMultiplier: 1), interval: 0.1)
    let b = try PrivacyLossDistribution(of: .gaussian(noiseMultiplier: 1), interval: 0.2)
    for parts in [[(a, 1), (b, 1)], [(a, -1)], []] {
      let error = #expect(throws: FederationError.self) {
        try PrivacyLossDistribution.composing(parts)
      }
      #expect(error?.code == .invalidConfiguration)
    }
    #expect(throws: FederationError.self) {
      try PrivacyLossDistribution(of: .gaussian(noiseMultiplier: 0.001), interval: 1e-4)
    }
    for interval in [0, -1, Double.nan, .infinity] {
      #expect(throws: FederationError.self) {
        try PrivacyLossDistribution(of: .gaussian(noiseMultiplier: 1), interval: interval)
      }
      #expect(throws: FederationError.self) { try PLDAccountant(interval: interval) }
    }
    let certain = try PrivacyLossDistribution.composing([(a, 0)])
    #expect(try certain.epsilon(delta: 0) == 0)
  }
}
