import TesseraFederation
import Testing

@Suite struct RDPAccountantTests {
  @Test func divergencesAgreeWithTheReference() throws {
    for reference in try PrivacyFixture.read().renyi {
      var accountant = try RDPAccountant(orders: reference.orders)
      try accountant.compose(reference.events)
      for (index, order) in reference.orders.enumerated() {
        let found = accountant.divergences[index]
        let expected = reference.divergences[index]
        #expect(
          agree(found, expected, relative: 1e-6),
          "\(reference.events) at \(order): \(found), not \(expected)"
        )
      }
    }
  }

  @Test func epsilonsAndDeltasAgreeWithTheReference() throws {
    for reference in try PrivacyFixture.read().renyi {
      let bound = pureEpsilon(of: reference.events)
      var accountant = try RDPAccountant(orders: reference.orders)
      try accountant.compose(reference.events)
      for pair in reference.epsilons {
        let found = try accountant.epsilon(delta: pair[0])
        #expect(
          agree(found, min(bound, pair[1]), relative: 1e-6),
          "\(reference.events) at \(pair[0]): \(found), not \(pair[1])"
        )
      }
      for pair in reference.deltas {
        let found = try accountant.delta(epsilon: pair[0])
        let expected = pair[0] >= bound ? 0 : pair[1]
        #expect(
          agree(found, expected, relative: 1e-6),
          "\(reference.events) at \(pair[0]): \(found), not \(expected)"
        )
      }
      var usual = RDPAccountant()
      try usual.compose(reference.events)
      for pair in reference.default {
        let found = try usual.epsilon(delta: pair[0])
        #expect(
          agree(found, min(bound, pair[1]), relative: 1e-6),
          "\(reference.events) by default at \(pair[0]): \(found), not \(pair[1])"
        )
      }
    }
  }

  @Test func momentsOfSamplesAgreeWithIntegralsInThirtyDigits() throws {
    for reference in try PrivacyFixture.read().moments {
      var accountant = try RDPAccountant(orders: reference.orders)
      try accountant.compose(reference.mechanism)
      for (index, order) in reference.orders.enumerated() {
        let found = accountant.divergences[index]
        let expected = reference.divergences[index]
        #expect(
          agree(found, expected, relative: 1e-9),
          "\(reference.mechanism) at \(order): \(found), not \(expected)"
        )
      }
    }
  }

  @Test func samplesWithoutReplacementAgreeWithTheTheoremInManyDigits() throws {
    for reference in try PrivacyFixture.read().replacement {
      var accountant = try RDPAccountant(orders: reference.orders)
      try accountant.compose(reference.mechanism)
      for (index, order) in reference.orders.enumerated() {
        let found = accountant.divergences[index]
        let expected = reference.divergences[index]
        #expect(
          agree(found, expected, relative: 1e-8),
          "\(reference.mechanism) at \(order): \(found), not \(expected)"
        )
      }
    }
  }

  @Test func fractionalOrdersLieBetweenTheirNeighbours() throws {
    // (α-1)·D_α is convex, and D_α rises: whole orders and fractional ones are computed in different ways.
    for sigma in [0.05, 0.3, 1, 10] {
      for rate in [1e-5, 0.01, 0.5, 0.99] {
        let orders = [2, 2.001, 2.999, 3, 9, 9.001, 9.999, 10]
        var accountant = try RDPAccountant(orders: orders)
        try accountant.compose(.subsampledGaussian(noiseMultiplier: sigma, samplingRate: rate))
        let found = accountant.divergences
        for index in 1..<orders.count {
          #expect(found[index] >= found[index - 1], "\(sigma) \(rate) \(orders[index])")
        }
        #expect(agree(found[0], found[1], relative: 0.05), "\(sigma) \(rate)")
        #expect(agree(found[6], found[7], relative: 0.05), "\(sigma) \(rate)")
      }
    }
  }

  @Test func samplingNeverCosts() throws {
    for sigma in [0.01, 0.4, 2, 50] {
      var whole = RDPAccountant()
      try whole.compose(.gaussian(noiseMultiplier: sigma))
      for rate in [0, 0.001, 0.3, 0.999, 1] {
        var poisson = RDPAccountant()
        try poisson.compose(.subsampledGaussian(noiseMultiplier: sigma, samplingRate: rate))
        var fixed = RDPAccountant()
        try fixed.compose(.gaussianWithoutReplacement(noiseMultiplier: sigma, samplingRate: rate))
        for index in whole.orders.indices {
          #expect(poisson.divergences[index] <= whole.divergences[index] * (1 + 1e-12))
          #expect(fixed.divergences[index] <= whole.divergences[index] * (1 + 1e-12))
          if rate > 0 { #expect(poisson.divergences[index] > 0) }
        }
      }
    }
  }

  @Test func compositionAddsUpInAnyOrderAndNeedsNoCopies() throws {
    let events = [
      PrivacyEvent(.gaussian(noiseMultiplier: 3), count: 4), PrivacyEvent(.pure(epsilon: 0.1)),
      PrivacyEvent(.laplace(noiseMultiplier: 20), count: 2),
    ]
    var forwards = RDPAccountant()
    try forwards.compose(events)
    var backwards = RDPAccountant()
    for event in events.reversed() {
      for _ in 0..<event.count { try backwards.compose(event.mechanism) }
    }
    #expect(forwards.events == events)
    #expect(Set(backwards.events) == Set(events))
    for (a, b) in zip(forwards.divergences, backwards.divergences) {
      #expect(agree(a, b, relative: 1e-12))
    }
  }

  @Test func epsilonAndDeltaAreInversesOfEachOther() throws {
    var accountant = RDPAccountant()
    try accountant.compose(.subsampledGaussian(noiseMultiplier: 1, samplingRate: 0.02), count: 500)
    for delta in [1e-3, 1e-6, 1e-9] {
      let epsilon = try accountant.epsilon(delta: delta)
      #expect(agree(try accountant.delta(epsilon: epsilon), delta, relative: 1e-9))
    }
  }

  @Test func boundsAreAboveTheExactGaussian() throws {
    for noise in [0.5, 1, 3, 10] {
      var accountant = RDPAccountant()
      try accountant.compose(.gaussian(noiseMultiplier: noise))
      let exact = try AnalyticGaussianMechanism(noiseMultiplier: noise)
      for delta in [1e-3, 1e-6, 1e-10] {
        let found = try accountant.epsilon(delta: delta)
        let least = try exact.epsilon(delta: delta)
        #expect(found >= least)
        #expect(found <= least * 1.25 + 0.02)
      }
    }
  }

  @Test(arguments: [[], [1], [0.5, 2], [2, .nan], [.infinity], [1e9]])
  func impossibleOrdersAreRefused(orders: [Double]) {
    let error = #expect(throws: FederationError.self) { try RDPAccountant(orders: orders) }
    #expect(error?.code == .invalidConfiguration)
  }
}
