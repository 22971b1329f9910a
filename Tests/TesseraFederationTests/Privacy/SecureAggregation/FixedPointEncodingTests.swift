import Foundation
import TesseraCore
import TesseraFederation
import Testing

@Suite struct FixedPointEncodingTests {
  static func state(
    _ weights: [Float],
    bias: [Double] = [0],
    steps: Int = 3
  ) throws -> ModelState {
    try ModelState([
      (name: "weight", tensor: Tensor(weights, shape: [2, weights.count / 2])),
      (name: "steps", tensor: Tensor(steps)),
      (name: "bias", tensor: Tensor(bias)),
      (name: "none", tensor: Tensor.zeros([0, 3])),
    ])
  }

  static func encoding(
    sites: Int = 10,
    bound: Double = 8,
    largestWeight: Double = 1000,
    resolution: Double? = nil
  ) throws -> FixedPointEncoding {
    try FixedPointEncoding(
      layoutOf: state([0, 0, 0, 0]),
      bound: bound,
      largestWeight: largestWeight,
      sites: sites,
      resolution: resolution
    )
  }

  @Test func oneStateComesBackWithItsWeightAndDTypes() throws {
    let encoding = try Self.encoding()
    #expect(encoding.vectorLength == 6)
    let state = try Self.state([1, -2.5, 0.125, 8], bias: [-0.1], steps: 77)
    let vector = try encoding.encode(state, weight: 12.5)
    #expect(vector.count == 6)
    let (mean, weight) = try encoding.decodeMean(vector, like: state)
    #expect(weight == 12.5)
    #expect(try mean["weight"]?.array(of: Float.self) == [1, -2.5, 0.125, 8])
    #expect(mean["weight"]?.shape == [2, 2])
    #expect(try mean["steps"]?.itemAsInteger() == 77)
    #expect(mean["bias"]?.dtype == .float64)
    let bias = try #require(mean["bias"]).item()
    #expect(abs(bias + 0.1) < encoding.resolution)
    #expect(mean.names == state.names)
  }

  @Test func sumsOfVectorsGiveTheWeightedMeanWithinTheResolution() throws {
    let encoding = try Self.encoding()
    var numbers = KeyedRandomNumbers(key: RandomKey(seed: 1))
    var sum = [UInt64](repeating: 0, count: encoding.vectorLength)
    var expected = 0.0
    var total = 0.0
    for _ in 0..<10 {
      let bias = Double.random(in: -8...8, using: &numbers)
      let weight = Double.random(in: 1...1000, using: &numbers)
      let vector = try encoding.encode(Self.state([8, 8, -8, -8], bias: [bias]), weight: weight)
      sum = zip(sum, vector).map { $0 &+ $1 }
      expected += bias * weight
      total += weight
    }
    let (mean, weight) = try encoding.decodeMean(sum, like: Self.state([0, 0, 0, 0]))
    #expect(abs(weight - total) <= 10 * encoding.weightResolution)
    let bias = try #require(mean["bias"]).item()
    // Half a unit for each site, and what weights in units of their own do to the quotient.
    #expect(abs(bias - expected / total) < 1e-12)
    #expect(try mean["weight"]?.array(of: Float.self) == [8, 8, -8, -8])
  }

  @Test func theBudgetOfBitsHoldsAtItsLimits() throws {
    for (sites, bound, weight) in [(2, 1.0, 1.0), (1000, 0.3, 77), (1_000_000, 1e6, 1e9)] {
      let encoding = try Self.encoding(sites: sites, bound: bound, largestWeight: weight)
      let budget = Double(sites) * weight * bound / encoding.resolution
      #expect(budget <= 0x1p61 && budget > 0x1p60 * 0.99)
      let state = try Self.state([0, 0, 0, 0], bias: [-bound])
      let vector = try encoding.encode(state, weight: weight)
      let sum = vector.map { $0 &* UInt64(sites) }
      let (mean, total) = try encoding.decodeMean(sum, like: state)
      #expect(abs(total / (weight * Double(sites)) - 1) < 1e-9)
      let bias = try #require(mean["bias"]).item()
      #expect(abs(bias / -bound - 1) < 1e-9)
    }
  }

  @Test func aWantedResolutionIsKeptOrRefused() throws {
    #expect(try Self.encoding(resolution: 0.001).resolution == 0x1p-10)
    #expect(try Self.encoding(resolution: 0.25).resolution == 0.25)
    let error = #expect(throws: FederationError.self) {
      try Self.encoding(sites: 1000, largestWeight: 1e6, resolution: 0x1p-40)
    }
    #expect(error?.code == .invalidConfiguration)
    #expect(error?.message.contains("give a resolution of") ?? false)
  }

  @Test(arguments: [Float.nan, .infinity, -.infinity, 9, -8.01])
  func valuesThatDoNotFitAreRefusedByName(bad: Float) throws {
    let state = try Self.state([1, 2, bad, 3])
    let error = #expect(throws: FederationError.self) {
      try Self.encoding().encode(state, weight: 1)
    }
    #expect(error?.code == .rejectedUpdate)
    #expect(error?.message.contains("'weight'") ?? false)
    #expect(!(error?.message.contains("\(bad)") ?? true) || !bad.isFinite)
  }

  @Test func valuesAreClippedIfAsked() throws {
    let encoding = try Self.encoding()
    let state = try Self.state([1, 20, -.infinity, .infinity])
    let vector = try encoding.encode(state, weight: 1, clipping: true)
    let (mean, _) = try encoding.decodeMean(vector, like: state)
    #expect(try mean["weight"]?.array(of: Float.self) == [1, 8, -8, 8])
    #expect(throws: FederationError.self) {
      try encoding.encode(Self.state([1, .nan, 0, 0]), weight: 1, clipping: true)
    }
  }

  @Test func weightsAndLayoutsThatDoNotFitAreRefused() throws {
    let encoding = try Self.encoding()
    let state = try Self.state([1, 2, 3, 4])
    for weight in [0, -1, 1000.5, Double.nan, .infinity] {
      #expect(throws: FederationError.self) { try encoding.encode(state, weight: weight) }
    }
    // However small, a weight counts.
    let least = try encoding.encode(state, weight: .leastNonzeroMagnitude)
    #expect(least.last == 1)
    for other in [
      try Self.state([1, 2]), try Self.state([1, 2, 3, 4], bias: [1, 2]),
      try ModelState([(name: "weight", tensor: Tensor.zeros([2, 2]))]),
    ] {
      #expect(throws: FederationError.self) { try encoding.encode(other, weight: 1) }
      #expect(throws: FederationError.self) {
        try encoding.decodeMean([0, 0, 0, 0, 0, 1], like: other)
      }
    }
  }

  @Test func sumsThatCannotBeAreRefused() throws {
    let encoding = try Self.encoding()
    let state = try Self.state([1, 2, 3, 4])
    for sum: [UInt64] in [
      [], [1], [0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, .max], [1 << 63, 0, 0, 0, 0, 5],
      [0, 0, 1 << 63 - 1, 0, 0, 5],
    ] {
      let error = #expect(throws: FederationError.self) {
        try encoding.decodeMean(sum, like: state)
      }
      #expect(error?.code == .rejectedUpdate)
    }
    for divisor in [0, -1, Double.nan, .infinity] {
      #expect(throws: FederationError.self) {
        try encoding.decode([0, 0, 0, 0, 0, 1], dividingBy: divisor, like: state)
      }
    }
  }

  @Test func encodingsThatCannotBeAreRefused() throws {
    for (bound, weight, sites, resolution) in [
      (0, 1, 2, nil), (-1, 1, 2, nil), (Double.nan, 1, 2, nil), (1, 0, 2, nil),
      (1, .infinity, 2, nil), (1, 1, 1, nil), (1, 1, 2, 0), (1, 1, 2, -.infinity),
    ] as [(Double, Double, Int, Double?)] {
      #expect(throws: FederationError.self) {
        try Self.encoding(
          sites: sites,
          bound: bound,
          largestWeight: weight,
          resolution: resolution
        )
      }
    }
    let counters = try ModelState([(name: "steps", tensor: Tensor(3))])
    #expect(throws: FederationError.self) {
      try FixedPointEncoding(layoutOf: counters, bound: 1, largestWeight: 1, sites: 2)
    }
  }

  @Test func anEncodingIsCheckedWhenItIsRead() throws {
    let encoding = try Self.encoding(resolution: 0.001)
    let data = try JSONEncoder().encode(encoding)
    let read = try JSONDecoder().decode(FixedPointEncoding.self, from: data)
    #expect(read == encoding)
    #expect(read.fingerprint == encoding.fingerprint)
    #expect(try Self.encoding().fingerprint != encoding.fingerprint)
    let text = String(decoding: data, as: UTF8.self)
    for (old, new) in [
      ("[2,2]", "[4000000000,4000000000,4000000000]"), ("[2,2]", "[-2,2]"),
      ("\"sites\":10", "\"sites\":0"), ("\"bound\":8", "\"bound\":-8"),
    ] {
      let changed = text.replacingOccurrences(of: old, with: new)
      #expect(changed != text)
      #expect(throws: FederationError.self) {
        try JSONDecoder().decode(FixedPointEncoding.self, from: Data(changed.utf8))
      }
    }
  }

  @Test func theSensitivityIsTheNormInUnitsAndTheRounding() throws {
    let encoding = try Self.encoding(largestWeight: 2, resolution: 0x1p-10)
    #expect(encoding.sensitivity(ofNorm: 3) == 3 * 2 * 1024 + 5.0.squareRoot() / 2)
  }

  @Test func statesAreAveragedUnderMasksAndNoiseWithDropouts() throws {
    let template = try Self.state([0, 0, 0, 0])
    let encoding = try Self.encoding(sites: 6, largestWeight: 100, resolution: 0x1p-20)
    let noise = try DistributedNoise(deviation: 0.05, of: encoding, minimumSurvivors: 4)
    let weights = [10.0, 20, 30, 40, 50, 60]
    func mean(noisy: Bool) throws -> (ModelState, Double) {
      let vectors = try weights.enumerated().map { site, weight in
        var vector = try encoding.encode(
          Self.state([Float(site), 1, -1, 0], bias: [Double(site) / 4]),
          weight: weight
        )
        if noisy {
          noise.addShare(
            to: &vector,
            first: encoding.elementCount,
            secrets: .reproducible(RandomKey(seed: 5)[site])
          )
        }
        return vector
      }
      var simulation = SecureAggregationSimulation(
        configuration: try SecureAggregationConfiguration(
          session: "mean",
          round: 1,
          sites: Array(0..<6),
          degree: 5,
          threshold: 4,
          vectorLength: encoding.vectorLength,
          agreement: encoding.fingerprint
        ),
        vectors: Dictionary(uniqueKeysWithValues: vectors.enumerated().map { ($0, $1) })
      )
      simulation.dropouts = [1: .maskVector, 4: .unmask]
      guard case .sum(let sum) = try simulation.run() else {
        Issue.record("there is no sum")
        return (template, 0)
      }
      return try encoding.decodeMean(sum.elements, like: template)
    }
    let (exact, total) = try mean(noisy: false)
    #expect(total == 190)
    // Of the sites 0, 2, 3, 4 and 5: 2 · 30 + 3 · 40 + 4 · 50 + 5 · 60.
    let expected: Double = 680 / 190
    let values = try #require(exact["weight"]).array(of: Float.self)
    #expect(abs(Double(values[0]) - expected) < 1e-6)
    #expect(values[1...] == [1, -1, 0])
    let (noisy, same) = try mean(noisy: true)
    #expect(same == 190)
    let noisyBias = try #require(noisy["bias"]).item()
    let exactBias = try #require(exact["bias"]).item()
    #expect(abs(exactBias - expected / 4) < 1e-6)
    let difference = noisyBias - exactBias
    #expect(difference != 0)
    #expect(abs(difference) < 6 * 0.05 * (5.0 / 4).squareRoot() / 190)
  }
}
