import Foundation
import TesseraFederation
import Testing

@Suite struct PrivacyAccountantTests {
  static let mechanisms: [PrivacyMechanism] = [
    .gaussian(noiseMultiplier: 2), .laplace(noiseMultiplier: 4), .pure(epsilon: 0.3),
    .subsampledGaussian(noiseMultiplier: 1, samplingRate: 0.1),
  ]

  /// On a grid that is coarse enough for an unoptimised build.
  static func accountant(_ kind: AccountantKind) throws -> any PrivacyAccountant {
    switch kind {
    case .rdp: RDPAccountant()
    case .pld: try PLDAccountant(interval: 1e-3)
    }
  }

  static func epsilon(
    _ mechanism: PrivacyMechanism,
    _ count: Int,
    _ delta: Double,
    _ kind: AccountantKind
  ) throws -> Double {
    var accountant = try accountant(kind)
    try accountant.compose(mechanism, count: count)
    return try accountant.epsilon(delta: delta)
  }

  @Test(arguments: AccountantKind.allCases)
  func moreReleasesCostMoreAndMoreDeltaLess(kind: AccountantKind) throws {
    for mechanism in Self.mechanisms {
      var last = 0.0
      for count in [1, 2, 10] {
        let strict = try Self.epsilon(mechanism, count, 1e-8, kind)
        let loose = try Self.epsilon(mechanism, count, 1e-3, kind)
        #expect(strict >= loose)
        #expect(loose >= last)
        #expect(strict > 0)
        last = loose
      }
      var accountant = try Self.accountant(kind)
      try accountant.compose(mechanism, count: 10)
      let deltas = try [0, 0.5, 1, 2, 4].map { try accountant.delta(epsilon: $0) }
      #expect(deltas == deltas.sorted(by: >))
      #expect(deltas.allSatisfy { (0...1).contains($0) })
    }
  }

  @Test(arguments: AccountantKind.allCases)
  func moreNoiseAndSmallerSamplesCostLess(kind: AccountantKind) throws {
    func epsilons(_ mechanisms: [PrivacyMechanism]) throws -> [Double] {
      try mechanisms.map { try Self.epsilon($0, 20, 1e-6, kind) }
    }
    for falling in [
      try epsilons([1, 2, 8].map { .gaussian(noiseMultiplier: $0) }),
      try epsilons([1, 4, 30].map { .laplace(noiseMultiplier: $0) }),
      try epsilons(
        [0.5, 1, 3].map { .subsampledGaussian(noiseMultiplier: $0, samplingRate: 0.1) }
      ),
      try epsilons(
        [0.4, 0.1, 0.01].map { .subsampledGaussian(noiseMultiplier: 1, samplingRate: $0) }
      ),
      try epsilons([1, 0.1, 0.01].map { .pure(epsilon: $0) }),
    ] {
      #expect(falling == falling.sorted(by: >))
      #expect(Set(falling).count == 3)
    }
  }

  @Test(arguments: AccountantKind.allCases)
  func nothingReleasedCostsNothing(kind: AccountantKind) throws {
    var accountant = kind.makeAccountant()
    #expect(try accountant.epsilon(delta: 0) == 0)
    #expect(try accountant.delta(epsilon: 0) == 0)
    try accountant.compose(.gaussian(noiseMultiplier: 1), count: 0)
    try accountant.compose(.subsampledGaussian(noiseMultiplier: 1, samplingRate: 0), count: 100)
    try accountant.compose(.pure(epsilon: 0), count: 100)
    #expect(try accountant.epsilon(delta: 1e-9) == 0)
    #expect(try accountant.delta(epsilon: 0) == 0)
  }

  @Test(arguments: AccountantKind.allCases)
  func deltaAtItsEndsNeedsNoArithmetic(kind: AccountantKind) throws {
    #expect(try Self.epsilon(.gaussian(noiseMultiplier: 1), 1, 0, kind) == .infinity)
    #expect(try Self.epsilon(.gaussian(noiseMultiplier: 1), 1, 1, kind) == 0)
    #expect(try Self.epsilon(.gaussian(noiseMultiplier: 1e-300), 1, 1, kind) == 0)
    #expect(try Self.epsilon(.laplace(noiseMultiplier: 4), 3, 0, kind) == 0.75)
  }

  static let impossible: [PrivacyEvent] = {
    let numbers = [0, -1, Double.nan, .infinity]
    let rates = [-0.1, 1.1, Double.nan, .infinity]
    return numbers.map { PrivacyEvent(.gaussian(noiseMultiplier: $0)) }
      + numbers.map { PrivacyEvent(.laplace(noiseMultiplier: $0)) }
      + numbers.map { PrivacyEvent(.subsampledGaussian(noiseMultiplier: $0, samplingRate: 0.5)) }
      + rates.map { PrivacyEvent(.subsampledGaussian(noiseMultiplier: 1, samplingRate: $0)) }
      + rates.map {
        PrivacyEvent(.gaussianWithoutReplacement(noiseMultiplier: 1, samplingRate: $0))
      }
      + [-1, Double.nan, .infinity].map { PrivacyEvent(.pure(epsilon: $0)) }
      + [PrivacyEvent(.pure(epsilon: 1), count: -1)]
  }()

  @Test(arguments: AccountantKind.allCases)
  func impossibleEventsAreRefusedAndLeaveNoTrace(kind: AccountantKind) throws {
    var accountant = kind.makeAccountant()
    try accountant.compose(.pure(epsilon: 0.5))
    for event in Self.impossible {
      let error = #expect(throws: FederationError.self, "\(event)") {
        try accountant.compose([PrivacyEvent(.gaussian(noiseMultiplier: 1)), event])
      }
      #expect(error?.code == .invalidConfiguration)
    }
    #expect(accountant.events == [PrivacyEvent(.pure(epsilon: 0.5))])
    #expect(try accountant.epsilon(delta: 0) == 0.5)
    for number in [-1, Double.nan] {
      #expect(throws: FederationError.self) { try accountant.epsilon(delta: number) }
      #expect(throws: FederationError.self) { try accountant.delta(epsilon: number) }
    }
    #expect(throws: FederationError.self) { try accountant.epsilon(delta: 1.5) }
    try accountant.compose(.pure(epsilon: 0.5), count: .max - 1)
    #expect(throws: FederationError.self) { try accountant.compose(.pure(epsilon: 0.5)) }
  }

  @Test func neighboursOfTwoKindsAreNotMixed() throws {
    var accountant = RDPAccountant()
    try accountant.compose(.gaussianWithoutReplacement(noiseMultiplier: 1, samplingRate: 0.1))
    // Whose sensitivity is that of adding or removing costs up to twice as much, or four times, where one replaces.
    let others: [PrivacyMechanism] = [
      .subsampledGaussian(noiseMultiplier: 1, samplingRate: 0.1), .gaussian(noiseMultiplier: 1),
      .laplace(noiseMultiplier: 1), .pure(epsilon: 1), .concentrated(rho: 1),
    ]
    for other in others {
      let before = accountant.divergences
      let error = #expect(throws: FederationError.self) { try accountant.compose(other) }
      #expect(error?.code == .invalidConfiguration)
      #expect(error?.message.contains("neighbours") == true)
      #expect(accountant.divergences == before)
      var backwards = RDPAccountant()
      try backwards.compose(other)
      #expect(throws: FederationError.self) {
        try backwards.compose(
          .gaussianWithoutReplacement(noiseMultiplier: 1, samplingRate: 0.1)
        )
      }
    }
    // Of all records it is the Gaussian mechanism for those who replace.
    try accountant.compose(.gaussianWithoutReplacement(noiseMultiplier: 1, samplingRate: 1))
    var sums = RDPAccountant()
    try sums.compose([
      PrivacyEvent(.subsampledGaussian(noiseMultiplier: 1, samplingRate: 0.1)),
      PrivacyEvent(.gaussian(noiseMultiplier: 1)), PrivacyEvent(.concentrated(rho: 1)),
    ])
  }

  @Test func aSampleWithoutReplacementHasNoLossDistribution() throws {
    var accountant = PLDAccountant()
    let mechanism = PrivacyMechanism.gaussianWithoutReplacement(
      noiseMultiplier: 1,
      samplingRate: 0.1
    )
    let error = #expect(throws: FederationError.self) { try accountant.compose(mechanism) }
    #expect(error?.message.contains("'rdp'") == true)
    #expect(throws: FederationError.self) {
      try PrivacyLossDistribution(of: mechanism, interval: 0.1)
    }
  }

  @Test func eventsSurviveCoding() throws {
    let events =
      (Self.mechanisms + [.gaussianWithoutReplacement(noiseMultiplier: 1, samplingRate: 0.1)])
      .map { PrivacyEvent($0, count: 7) }
    let data = try JSONEncoder().encode(events)
    #expect(try JSONDecoder().decode([PrivacyEvent].self, from: data) == events)
  }
}
