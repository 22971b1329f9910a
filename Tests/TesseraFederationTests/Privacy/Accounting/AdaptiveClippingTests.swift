import Foundation
import TesseraCore
import TesseraFederation
import Testing

@Suite struct AdaptiveClippingTests {
  @Test func oneStepIsTheFormula() throws {
    var clipping = try AdaptiveClipping(
      bound: 2,
      targetQuantile: 0.7,
      learningRate: 0.3,
      noiseMultiplier: 1,
      countDeviation: 5
    )
    // 40 of 50 within the bound: 40·½ - 10·½.
    try clipping.adapt(toNoisedSum: 15, of: 50)
    #expect(agree(clipping.bound, 2 * exp(-0.3 * (0.8 - 0.7)), relative: 1e-14))
    #expect(clipping.centredBit(ofNorm: clipping.bound) == 0.5)
    #expect(clipping.centredBit(ofNorm: clipping.bound * 1.01) == -0.5)
    #expect(clipping.centredBit(ofNorm: .nan) == -0.5)
  }

  @Test func theBoundFindsTheQuantileWithNoise() throws {
    var numbers = KeyedRandomNumbers(key: RandomKey(seed: 11))
    // Norms are uniform in 0...10, so the quantile of 0.3 is at 3.
    var clipping = try AdaptiveClipping(
      targetQuantile: 0.3,
      noiseMultiplier: 1,
      countDeviation: 5
    )
    var later: [Double] = []
    for round in 0..<400 {
      var sum = 0.0
      for _ in 0..<100 {
        sum += clipping.centredBit(ofNorm: Double.random(in: 0...10, using: &numbers))
      }
      // A sum of twelve uniform numbers has a variance of 1.
      let noise = (0..<12).reduce(-6.0) { total, _ in
        total + Double.random(in: 0...1, using: &numbers)
      }
      try clipping.adapt(toNoisedSum: sum + noise * clipping.countDeviation, of: 100)
      if round >= 100 { later.append(clipping.bound) }
    }
    let mean = later.reduce(0, +) / Double(later.count)
    #expect(abs(mean - 3) < 0.2)
  }

  @Test(arguments: [(1.0, 5.0), (0.3, 0.16), (2, 100)])
  func bothNoisesTogetherCostWhatOneGaussianWould(noise: Double, deviation: Double) throws {
    let clipping = try AdaptiveClipping(
      bound: 3,
      noiseMultiplier: noise,
      countDeviation: deviation
    )
    var split = RDPAccountant()
    try split.compose(.gaussian(noiseMultiplier: clipping.updateNoiseMultiplier))
    // A bit less a half has a sensitivity of a half.
    try split.compose(.gaussian(noiseMultiplier: deviation / 0.5))
    var whole = RDPAccountant()
    try whole.compose(.gaussian(noiseMultiplier: noise))
    for (a, b) in zip(split.divergences, whole.divergences) {
      #expect(agree(a, b, relative: 1e-12))
    }
    #expect(clipping.updateNoiseMultiplier > noise)
    #expect(clipping.updateDeviation == clipping.updateNoiseMultiplier * 3)
  }

  @Test func withoutNoiseThereIsNone() throws {
    let clipping = try AdaptiveClipping(noiseMultiplier: 0, countDeviation: 0)
    #expect(clipping.updateNoiseMultiplier == 0)
    #expect(clipping.updateDeviation == 0)
  }

  @Test func impossibleSettingsAreRefused() throws {
    func refused(
      bound: Double = 1,
      quantile: Double = 0.5,
      rate: Double = 0.2,
      noise: Double = 1,
      deviation: Double = 5
    ) -> Bool {
      do {
        _ = try AdaptiveClipping(
          bound: bound,
          targetQuantile: quantile,
          learningRate: rate,
          noiseMultiplier: noise,
          countDeviation: deviation
        )
        return false
      } catch {
        return (error as? FederationError)?.code == .invalidConfiguration
      }
    }
    #expect(!refused())
    for bad in [-1, Double.nan, .infinity] {
      #expect(refused(bound: bad))
      #expect(refused(quantile: bad))
      #expect(refused(rate: bad))
      #expect(refused(noise: bad))
      #expect(refused(deviation: bad))
    }
    #expect(refused(bound: 0))
    #expect(refused(rate: 0))
    #expect(refused(quantile: 1.1))
    #expect(refused(deviation: 0.5))
    #expect(refused(deviation: 0))
  }

  @Test func anOddSumLeavesTheBoundAsItWas() throws {
    var clipping = try AdaptiveClipping(bound: 1, noiseMultiplier: 1, countDeviation: 5)
    for (sum, sites) in [(Double.nan, 10.0), (.infinity, 10), (1, 0), (1, -5), (1e9, 1), (-1e9, 1)]
    {
      let error = #expect(throws: FederationError.self) {
        try clipping.adapt(toNoisedSum: sum, of: sites)
      }
      #expect(error?.code == .invalidConfiguration)
      #expect(clipping.bound == 1)
    }
  }

  @Test func itSurvivesCodingAndIsCheckedWhenRead() throws {
    var clipping = try AdaptiveClipping(bound: 1, noiseMultiplier: 1, countDeviation: 5)
    try clipping.adapt(toNoisedSum: 3, of: 20)
    let data = try JSONEncoder().encode(clipping)
    #expect(try JSONDecoder().decode(AdaptiveClipping.self, from: data) == clipping)
    let text = try #require(String(data: data, encoding: .utf8))
    let broken = text.replacingOccurrences(
      of: "\"countDeviation\":5",
      with: "\"countDeviation\":0.1"
    )
    #expect(broken != text)
    #expect(throws: FederationError.self) {
      try JSONDecoder().decode(AdaptiveClipping.self, from: Data(broken.utf8))
    }
  }
}
