import Foundation
import TesseraFederation
import Testing

@Suite struct SecureAggregationConfigurationTests {
  static func make(
    session: String = "s",
    round: Int = 1,
    sites: [Int] = [0, 1, 2, 3, 4, 5, 6],
    degree: Int = 4,
    threshold: Int = 3,
    minimum: Int? = nil,
    length: Int = 10
  ) throws -> SecureAggregationConfiguration {
    try SecureAggregationConfiguration(
      session: session,
      round: round,
      sites: sites,
      degree: degree,
      threshold: threshold,
      minimumSurvivors: minimum,
      vectorLength: length
    )
  }

  @Test func settingsThatCannotBeAreRefusedByName() throws {
    func expectRefusal(
      _ text: String,
      sourceLocation: SourceLocation = #_sourceLocation,
      _ make: () throws -> SecureAggregationConfiguration
    ) {
      let error = #expect(throws: FederationError.self, sourceLocation: sourceLocation) {
        _ = try make()
      }
      #expect(error?.code == .invalidConfiguration, sourceLocation: sourceLocation)
      #expect(
        error?.message.contains(text) ?? false,
        "\(error?.message ?? "")",
        sourceLocation: sourceLocation
      )
    }
    expectRefusal("sites, not 1") { try Self.make(sites: [3]) }
    expectRefusal("sites, not 0") { try Self.make(sites: []) }
    expectRefusal("different numbers") { try Self.make(sites: [1, 2, 3, 4, 5, 5]) }
    expectRefusal("different numbers") { try Self.make(sites: [-1, 2, 3, 4, 5, 6]) }
    expectRefusal("different numbers") { try Self.make(sites: [0, 1, 2, 3, 4, 1 << 40]) }
    expectRefusal("round") { try Self.make(round: -1) }
    expectRefusal("at most 1024 bytes") {
      try Self.make(session: String(repeating: "ü", count: 600))
    }
    expectRefusal("degree") { try Self.make(degree: 3) }
    expectRefusal("degree") { try Self.make(degree: 0) }
    expectRefusal("degree") { try Self.make(degree: 8) }
    // Two halves of a neighbourhood could each give a secret.
    expectRefusal("threshold") { try Self.make(degree: 4, threshold: 2) }
    expectRefusal("threshold") { try Self.make(degree: 6, threshold: 3) }
    expectRefusal("threshold") { try Self.make(degree: 4, threshold: 6) }
    expectRefusal("minimum of survivors") { try Self.make(minimum: 2) }
    expectRefusal("minimum of survivors") { try Self.make(minimum: 8) }
    expectRefusal("elements, not 0") { try Self.make(length: 0) }
    #expect(throws: FederationError.self) {
      _ = try SecureAggregationClient(site: 9, configuration: Self.make())
    }
    let signed = try SecureAggregationConfiguration(
      session: "s",
      round: 1,
      sites: [1, 2],
      degree: 1,
      threshold: 2,
      vectorLength: 1,
      signed: true
    )
    #expect(throws: FederationError.self) {
      _ = try SecureAggregationClient(site: 1, configuration: signed)
    }
  }

  @Test func aConfigurationIsCheckedWhenItIsRead() throws {
    let configuration = try Self.make()
    let data = try JSONEncoder().encode(configuration)
    #expect(
      try JSONDecoder().decode(SecureAggregationConfiguration.self, from: data) == configuration
    )
    let text = String(decoding: data, as: UTF8.self)
    let changed = text.replacingOccurrences(of: "\"threshold\":3", with: "\"threshold\":1")
    #expect(changed != text)
    #expect(throws: FederationError.self) {
      try JSONDecoder().decode(SecureAggregationConfiguration.self, from: Data(changed.utf8))
    }
  }

  @Test func smallFederationsAreCompleteAndLetSomeDropOut() throws {
    let expected = [
      2: (1, 2), 3: (2, 2), 4: (3, 3), 5: (4, 3), 8: (7, 5), 20: (19, 11), 50: (49, 27),
    ]
    for (sites, (degree, threshold)) in expected {
      let configuration = try SecureAggregationConfiguration(
        session: "s",
        round: 1,
        sites: Array(0..<sites),
        vectorLength: 1
      )
      #expect(configuration.degree == degree)
      #expect(configuration.threshold == threshold)
      #expect(configuration.minimumSurvivors == max(threshold, 2))
      #expect(configuration.isComplete)
    }
  }
}
