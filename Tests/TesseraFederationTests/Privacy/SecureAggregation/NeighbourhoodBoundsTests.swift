import TesseraFederation
import Testing

@Suite struct NeighbourhoodBoundsTests {
  @Test func theSmallestNeighbourhoodsAreTheReferences() throws {
    for fixture in try SecureAggregationFixtures.load().neighbourhoods {
      let numbers = fixture.assumptions
      let sites = Int(numbers[0])
      let found = try NeighbourhoodBounds(
        corruptFraction: numbers[1],
        dropoutFraction: numbers[2],
        securityBits: numbers[3],
        correctnessBits: numbers[4]
      ).neighbourhood(of: sites)
      if let result = fixture.result {
        #expect([found.degree, found.threshold] == result, "\(numbers)")
      } else {
        #expect(found.degree == sites - 1)
        #expect(found.threshold == (sites + Int(numbers[1] * Double(sites))) / 2 + 1)
      }
    }
  }

  @Test func neighbourhoodsGrowWithTheLogarithmOfTheSites() throws {
    let bounds = NeighbourhoodBounds()
    let degrees = try [1000, 10_000, 100_000].map { try bounds.neighbourhood(of: $0).degree }
    #expect(degrees == degrees.sorted())
    #expect(degrees[2] < 2 * degrees[0])
  }

  @Test func assumptionsThatCannotBeMetAreRefused() {
    let cases: [(NeighbourhoodBounds, Int, String)] = [
      (NeighbourhoodBounds(corruptFraction: 1), 10, "0..<1"),
      (NeighbourhoodBounds(corruptFraction: .nan), 10, "0..<1"),
      (NeighbourhoodBounds(dropoutFraction: -0.1), 10, "0..<1"),
      (NeighbourhoodBounds(securityBits: 0), 10, "1...256"),
      (NeighbourhoodBounds(), 1, "sites, not 1"),
      (NeighbourhoodBounds(), -5, "sites, not -5"),
      (NeighbourhoodBounds(), 2_000_000, "sites, not 2000000"),
      (NeighbourhoodBounds(dropoutFraction: 0.6), 10, "6 may drop out"),
      (NeighbourhoodBounds(corruptFraction: 0.5, dropoutFraction: 0.5), 1000, "500 may be corrupt"),
    ]
    for (bounds, sites, text) in cases {
      let error = #expect(throws: FederationError.self) { try bounds.neighbourhood(of: sites) }
      #expect(error?.code == .invalidConfiguration)
      #expect(error?.message.contains(text) ?? false, "\(error?.message ?? "")")
    }
  }
}
