import TesseraCore
import TesseraFederation
import Testing

/// What a sum with noise costs.
@Suite struct SecureAggregationEventTests {
  static let sites = (0..<20).map { Site(index: $0, name: "site-\($0 + 1)", exampleCount: 10) }

  private static func settings(
    multiplier: Double = 2,
    clipNorm: Double = 0.5,
    corrupt: Double = 0.05
  ) throws -> SecureAggregation {
    SecureAggregation(
      assumptions: NeighbourhoodBounds(corruptFraction: corrupt),
      noise: try SecureAggregation.Noise(clipNorm: clipNorm, multiplier: multiplier)
    )
  }

  private static func rho(
    _ settings: SecureAggregation,
    elements: Int = 1000,
    sites: [Site] = sites,
    quorum: Quorum = Quorum()
  ) throws -> Double {
    let model = try ModelState([
      (name: "weight", tensor: Tensor.zeros([elements])), (name: "steps", tensor: Tensor(4)),
    ])
    let events = try settings.privacyEvents(for: model, sites: sites, quorum: quorum)
    #expect(events.count == 1 && events.first?.count == 1)
    guard case .concentrated(let rho)? = events.first?.mechanism else {
      Issue.record("\(events)")
      return .nan
    }
    return rho
  }

  @Test func itIsThatOfAGaussianAndALittleForRounding() throws {
    for multiplier in [0.5, 2, 8] {
      for clipNorm in [1e-3, 0.5, 40] {
        let ideal = 1 / (2 * multiplier * multiplier)
        let found = try Self.rho(Self.settings(multiplier: multiplier, clipNorm: clipNorm))
        #expect(found > ideal && found < ideal * 1.002, "\(multiplier), \(clipNorm)")
      }
    }
    // Each element is rounded, so a larger model costs more: by the root of their number at a resolution of 2^-18 norms or so.
    let small = try Self.rho(Self.settings(), elements: 10)
    let large = try Self.rho(Self.settings(), elements: 1_000_000)
    #expect(large > small && large < small * 1.02)
  }

  @Test func theNoiseOfCorruptSitesDoesNotCount() throws {
    // The sum reaches the multiplier without theirs, so what is assumed does not change the cost.
    let none = try Self.rho(Self.settings(corrupt: 0))
    let some = try Self.rho(Self.settings(corrupt: 0.2))
    #expect(abs(some / none - 1) < 1e-3)
  }

  @Test func withoutNoiseThereIsNoEvent() throws {
    let model = try ModelState([(name: "weight", tensor: Tensor.zeros([4]))])
    #expect(try SecureAggregation().privacyEvents(for: model, sites: Self.sites).isEmpty)
  }

  @Test func whatFitsNoSitesIsRefused() throws {
    let settings = try Self.settings()
    let model = try ModelState([(name: "weight", tensor: Tensor.zeros([4]))])
    for (sites, model) in [
      (Array(Self.sites.prefix(1)), model), ([], model), (Self.sites, .empty),
    ] {
      let error = #expect(throws: FederationError.self) {
        try settings.privacyEvents(for: model, sites: sites)
      }
      #expect(error?.code == .invalidConfiguration)
    }
  }

  @Test func rhoIsAccountedByRényi() throws {
    var ideal = RDPAccountant()
    try ideal.compose(.gaussian(noiseMultiplier: 2), count: 10)
    var noisy = RDPAccountant()
    try noisy.compose(.concentrated(rho: 1 / 8.0), count: 10)
    for delta in [1e-9, 1e-5, 1e-2] {
      #expect(abs(try noisy.epsilon(delta: delta) - ideal.epsilon(delta: delta)) < 1e-12)
    }
    var nothing = RDPAccountant()
    try nothing.compose(.concentrated(rho: 0), count: 10)
    #expect(try nothing.epsilon(delta: 1e-5) == 0)
    #expect(try nothing.epsilon(delta: 0) == 0)
    #expect(try noisy.epsilon(delta: 0) == .infinity)
  }

  @Test func distributionsOfThePrivacyLossRefuseItByName() throws {
    var accountant = PLDAccountant()
    let error = #expect(throws: FederationError.self) {
      try accountant.compose(.concentrated(rho: 0.1))
    }
    #expect(error?.message.contains("concentrated") == true)
    #expect(error?.message.contains("'rdp'") == true)
    #expect(accountant.events.isEmpty)
    #expect(throws: FederationError.self) {
      try PrivacyLossDistribution(of: .concentrated(rho: 0.1), interval: 0.1)
    }
  }

  @Test(arguments: [-0.1, .nan, .infinity])
  func impossibleRhosAreRefused(_ rho: Double) {
    var accountant = RDPAccountant()
    #expect(throws: FederationError.self) { try accountant.compose(.concentrated(rho: rho)) }
  }
}
