import TesseraCore
import TesseraData
import Testing

@Suite struct PartitionTests {
  static let labels = (0..<5000).map { ($0 * 7) % 10 }
  let key = RandomKey(seed: 4)

  @Test func everyExampleGoesToExactlyOneSite() throws {
    let partitions: [any Partition] = [
      .iid, .dirichlet(0.01), .dirichlet(0.5), .dirichlet(100), .labelShards(1), .labelShards(7),
      .quantity(0.05), .quantity(5),
    ]
    for partition in partitions {
      for sites in [1, 3, 8, 50] {
        let parts = try partition.indices(labels: Self.labels, sites: sites, key: key)
        #expect(parts.count == sites)
        #expect(parts.joined().sorted() == Array(0..<5000))
        #expect(parts.allSatisfy { $0 == $0.sorted() })
      }
    }
  }

  @Test func theSameKeyDividesInTheSameWay() throws {
    let partitions: [any Partition] = [.iid, .dirichlet(0.5), .labelShards(2), .quantity(0.5)]
    for partition in partitions {
      let parts = try partition.indices(labels: Self.labels, sites: 8, key: key)
      #expect(try partition.indices(labels: Self.labels, sites: 8, key: key) == parts)
      let others = try partition.indices(labels: Self.labels, sites: 8, key: RandomKey(seed: 5))
      #expect(others != parts)
    }
  }

  @Test func sitesDifferMoreAsAlphaFalls() throws {
    /// The mean share of a site's most frequent class.
    func skew(_ alpha: Double) throws -> Double {
      let parts = try Dirichlet(alpha: alpha).indices(labels: Self.labels, sites: 8, key: key)
      let shares = parts.map { part in
        let counts = Dictionary(grouping: part) { Self.labels[$0] }.mapValues(\.count)
        return Double(counts.values.max() ?? 0) / Double(part.count)
      }
      return shares.reduce(0, +) / 8
    }
    let skews = try [0.05, 0.5, 5, 500].map(skew)
    #expect(skews == skews.sorted(by: >))
    #expect(skews[0] > 0.5)
    #expect(skews[3] < 0.15)
  }

  @Test func everySiteGetsTheMinimum() throws {
    let parts = try Dirichlet(alpha: 0.01, minimumPerSite: 40)
      .indices(labels: Self.labels, sites: 100, key: key)
    #expect(parts.allSatisfy { $0.count >= 40 })
    #expect(parts.joined().sorted() == Array(0..<5000))
  }

  @Test(arguments: [Double.leastNonzeroMagnitude, .leastNormalMagnitude / 100, 1e-5])
  func theSmallestAlphaGivesEachClassToOneSite(
    alpha: Double
  ) throws {
    let parts = try Dirichlet(alpha: alpha, minimumPerSite: 0)
      .indices(labels: Self.labels, sites: 4, key: key)
    #expect(parts.joined().sorted() == Array(0..<5000))
    for label in 0..<10 {
      #expect(parts.filter { $0.contains { Self.labels[$0] == label } }.count == 1)
    }
    let quantities = try Quantity(alpha: alpha, minimumPerSite: 0)
      .indices(labels: Self.labels, sites: 4, key: key)
    #expect(quantities.map(\.count).sorted() == [0, 0, 0, 5000])
  }

  @Test func whatLargeSitesGiveIsOfAllTheirClasses() throws {
    // At most ten sites have everything, a class or two each, and give most of it away.
    let parts = try Dirichlet(alpha: .leastNonzeroMagnitude, minimumPerSite: 40)
      .indices(labels: Self.labels, sites: 100, key: key)
    let poor = parts.filter { $0.count == 40 }
    #expect(poor.count > 80)
    for part in poor { #expect(Set(part.map { Self.labels[$0] }).count > 3) }
  }

  @Test func aMinimumBelowZeroIsNone() throws {
    let parts = try Dirichlet(alpha: 0.5, minimumPerSite: .min)
      .indices(labels: Self.labels, sites: 8, key: key)
    #expect(parts.joined().sorted() == Array(0..<5000))
  }

  @Test func twoShardsGiveAtMostFourClasses() throws {
    // A shard of 5,000 / 16 examples lies in one class of 500, or across the border of two.
    let parts = try LabelShards(shardsPerSite: 2).indices(labels: Self.labels, sites: 8, key: key)
    for part in parts {
      #expect(Set(part.map { Self.labels[$0] }).count <= 4)
      #expect((624...626).contains(part.count))
    }
  }

  @Test func quantitiesDifferButMixturesDoNot() throws {
    let parts = try Quantity(alpha: 0.5).indices(labels: Self.labels, sites: 8, key: key)
    let sizes = parts.map(\.count)
    #expect(sizes.max() ?? 0 > 4 * (sizes.min() ?? 0))
    for part in parts where part.count > 500 {
      let counts = Dictionary(grouping: part) { Self.labels[$0] }.mapValues(\.count)
      for count in counts.values { #expect(abs(Double(count) / Double(part.count) - 0.1) < 0.05) }
    }
  }

  @Test func shardsThatCannotBeAreRefused() {
    for shards in [0, -1, 626, Int.max] {
      #expect(throws: DataError.self) {
        try LabelShards(shardsPerSite: shards).indices(labels: Self.labels, sites: 8, key: key)
      }
    }
  }

  @Test func divisionsThatCannotBeAreRefused() {
    for sites in [0, -3, 501, Int.max] {
      #expect(throws: DataError.self) {
        try Dirichlet(alpha: 0.5).indices(labels: Self.labels, sites: sites, key: key)
      }
    }
    for alpha in [0, -1, Double.nan, Double.infinity] {
      #expect(throws: DataError.self) {
        try Dirichlet(alpha: alpha).indices(labels: Self.labels, sites: 8, key: key)
      }
      #expect(throws: DataError.self) {
        try Quantity(alpha: alpha).indices(labels: Self.labels, sites: 8, key: key)
      }
    }
  }
}
