import TesseraCore
import TesseraFederation
import Testing

@Suite struct DistributedNoiseTests {
  static func draws(_ variance: Int, _ count: Int, seed: UInt64) throws -> [Int] {
    let noise = try DistributedNoise(deviation: Double(variance).squareRoot(), minimumSurvivors: 1)
    #expect(noise.shareVariance == variance)
    var vector = [UInt64](repeating: 0, count: count)
    noise.addShare(to: &vector, first: count, secrets: .reproducible(RandomKey(seed: seed)))
    return vector.map { Int(Int64(bitPattern: $0)) }
  }

  @Test func sharesAreDiscreteGaussian() throws {
    for fixture in try SecureAggregationFixtures.load().probabilities {
      let count = 40_000
      let draws = try Self.draws(fixture.variance, count, seed: 1)
      // Pearson's statistic over the values that are expected often enough; the rest is one more class.
      var statistic = 0.0
      var classes = 0.0
      var rest = (seen: count, expected: Double(count))
      for (place, probability) in fixture.values.enumerated()
      where probability * Double(count) >= 10 {
        let expected = probability * Double(count)
        let seen = draws.count { $0 == place - 60 }
        statistic += (Double(seen) - expected) * (Double(seen) - expected) / expected
        classes += 1
        rest.seen -= seen
        rest.expected -= expected
      }
      if rest.expected >= 1 {
        let difference = Double(rest.seen) - rest.expected
        statistic += difference * difference / rest.expected
        classes += 1
      }
      // Mean classes − 1, deviation √(2 (classes − 1)).
      let excess = (statistic - (classes - 1)) / (2 * (classes - 1)).squareRoot()
      #expect(excess < 5, "variance \(fixture.variance)")
    }
  }

  @Test(arguments: [1, 50, 1 << 20, 1 << 40, 1 << 48])
  func momentsAreRightForAllSizes(variance: Int) throws {
    let count = 20_000
    let draws = try Self.draws(variance, count, seed: 2).map {
      Double($0) / Double(variance).squareRoot()
    }
    func mean(_ power: Int) -> Double {
      draws.reduce(0) { sum, x in sum + (0..<power).reduce(1) { product, _ in product * x } }
        / Double(count)
    }
    let root = Double(count).squareRoot()
    #expect(abs(mean(1)) < 5 / root)
    #expect(abs(mean(2) - 1) < 5 * 2.0.squareRoot() / root)
    #expect(abs(mean(3)) < 5 * 15.0.squareRoot() / root)
    #expect(abs(mean(4) - 3) < 5 * 96.0.squareRoot() / root)
  }

  @Test func theSumOverSurvivorsHasTheWantedDeviationOrMore() throws {
    let noise = try DistributedNoise(deviation: 200, minimumSurvivors: 5)
    let count = 4000
    for survivors in [5, 8] {
      var sum = [UInt64](repeating: 0, count: count)
      for site in 0..<survivors {
        noise.addShare(
          to: &sum,
          first: count,
          secrets: .reproducible(RandomKey(seed: 3)[site])
        )
      }
      let square =
        sum.reduce(0.0) { $0 + Double(Int64(bitPattern: $1)) * Double(Int64(bitPattern: $1)) }
        / Double(count)
      let wanted = noise.deviation(survivors: survivors)
      #expect(wanted >= 200 && wanted < 200 * (Double(survivors) / 5).squareRoot() + 0.1)
      #expect(abs(square / (wanted * wanted) - 1) < 5 * (2 / Double(count)).squareRoot())
    }
  }

  @Test func oneKeyGivesOneShareAndTheSystemAlwaysAnother() throws {
    let noise = try DistributedNoise(deviation: 100, minimumSurvivors: 2)
    func share(_ secrets: SecretSource) -> [UInt64] {
      var vector = [UInt64](repeating: 7, count: 20)
      noise.addShare(to: &vector, first: 19, secrets: secrets)
      return vector
    }
    let key = RandomKey(seed: 4)
    #expect(share(.reproducible(key[1])) == share(.reproducible(key[1])))
    #expect(share(.reproducible(key[1])) != share(.reproducible(key[2])))
    #expect(share(.system) != share(.system))
    // The weight, at the end, stays as it is.
    #expect(share(.system).last == 7)
    var short: [UInt64] = [1]
    noise.addShare(to: &short, first: -3, secrets: .system)
    #expect(short == [1])
  }

  @Test func theConcentratedEpsilonIsTheReferences() throws {
    for fixture in try SecureAggregationFixtures.load().epsilons {
      let noise = try DistributedNoise(
        deviation: Double(fixture.variance * fixture.count).squareRoot(),
        minimumSurvivors: fixture.count
      )
      #expect(noise.shareVariance == fixture.variance)
      let epsilon = noise.concentratedEpsilon(
        sensitivity: fixture.sensitivity,
        dimension: fixture.dimension
      )
      #expect(abs(epsilon / fixture.epsilon - 1) < 1e-9)
    }
  }

  @Test func noiseThatCannotBeIsRefused() {
    for (deviation, survivors) in [
      (0, 1), (-1, 1), (Double.nan, 1), (.infinity, 1), (10, 0), (1, 2), (0x1p25, 1), (10, -4),
    ] {
      let error = #expect(throws: FederationError.self) {
        try DistributedNoise(deviation: deviation, minimumSurvivors: survivors)
      }
      #expect(error?.code == .invalidConfiguration)
    }
  }
}
