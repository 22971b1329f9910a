import TesseraCore
import TesseraFederation
import Testing

@Suite struct NeighbourGraphTests {
  @Test(arguments: [(7, 2), (7, 4), (12, 6), (100, 20), (101, 30)])
  func theGraphIsRegularSymmetricAndConnected(count: Int, degree: Int) throws {
    let sites = (0..<count).map { 3 * $0 + 1 }
    for seed in 0..<5 {
      let graph = try NeighbourGraph(
        sites: sites.reversed(),
        degree: degree,
        key: RandomKey(seed: UInt64(seed))
      )
      #expect(graph.sites == sites)
      for site in sites {
        let neighbours = graph.neighbours(of: site)
        #expect(neighbours.count == degree)
        #expect(neighbours == Set(neighbours).sorted())
        #expect(!neighbours.contains(site))
        #expect(neighbours.allSatisfy { graph.neighbours(of: $0).contains(site) })
      }
      #expect(graph.isConnected(among: Set(sites)))
    }
  }

  @Test func anyFewerMissingThanTheDegreeLeaveItConnected() throws {
    // A Harary graph of degree k is k-connected.
    let graph = try NeighbourGraph(sites: Array(0..<11), degree: 4, key: RandomKey(seed: 4))
    for a in 0..<11 {
      for b in 0..<11 {
        for c in 0..<11 { #expect(graph.isConnected(among: Set(0..<11).subtracting([a, b, c]))) }
      }
    }
    #expect(!graph.isConnected(among: []))
    #expect(!graph.isConnected(among: Set(0..<11).subtracting(graph.neighbours(of: 5))))
  }

  @Test func differentKeysGiveDifferentGraphs() throws {
    func graph(_ seed: UInt64) throws -> NeighbourGraph {
      try NeighbourGraph(sites: Array(0..<30), degree: 4, key: RandomKey(seed: seed))
    }
    #expect(try graph(1) == graph(1))
    #expect(try graph(1) != graph(2))
  }

  @Test func largeDegreesMakeItComplete() throws {
    for degree in [5, 6, 100] {
      let graph = try NeighbourGraph(sites: Array(0..<6), degree: degree, key: RandomKey(seed: 1))
      #expect(graph.degree == 5)
      for site in 0..<6 {
        #expect(graph.neighbours(of: site) == (0..<6).filter { $0 != site })
      }
    }
    #expect(
      try NeighbourGraph(sites: [1, 2], degree: 1, key: RandomKey(seed: 1)).neighbours(of: 3) == []
    )
  }

  @Test func graphsThatCannotBeAreRefused() {
    let cases: [([Int], Int)] = [
      ([], 2), ([1], 2), ([1, 1, 2], 2), ([1, 2, 3, 4, 5, 6], 3), ([1, 2, 3, 4], 0),
      ([1, 2, 3, 4], -2),
    ]
    for (sites, degree) in cases {
      #expect(throws: FederationError.self) {
        try NeighbourGraph(sites: sites, degree: degree, key: RandomKey(seed: 1))
      }
    }
  }
}
