import TesseraCore
import TesseraFederation
import TesseraTesting
import Testing

@Suite struct PrivacyFilterTests {
  static func exchange(_ kind: Exchange.Kind, steps: Int?) throws -> Exchange {
    var exchange =
      kind == .weights ? Exchange.weights(try Sample.weights()) : .difference(try Sample.change())
    exchange.metadata.steps = steps
    return exchange
  }

  /// Weights less the reference, or the difference as it is.
  static func change(of exchange: Exchange, _ name: String) throws -> Tensor {
    guard exchange.kind == .weights else { return try exchange[name] }
    return try exchange[name] - #require(Sample.reference()[name])
  }

  @Test(
    arguments: ["percentile-10", "percentile-50", "percentile-0", "percentile-100"],
    [Exchange.Kind.weights, .weightDifference]
  )
  func percentilePrivacyAgreesWithNumPy(golden: String, kind: Exchange.Kind) throws {
    let percentile = try #require(Double(golden.dropFirst(11)))
    let filter = try PercentilePrivacy(
      percentile: percentile,
      gamma: Sample.golden("\(golden)/gamma").item()
    )
    let result = try filter.apply(
      to: Self.exchange(kind, steps: 5),
      in: Sample.context(reference: .weights(Sample.reference()))
    )
    #expect(result.kind == kind)
    for name in ["a", "b"] {
      try expectClose(Self.change(of: result, name), Sample.golden("\(golden)/\(name)"), "\(name)")
    }
  }

  @Test func percentilesOfAMillionElementsAreExact() throws {
    let tensors = [
      try Sample.normal([700_001], deviation: 1e-3), try Sample.normal([3, 99_999], seed: 9),
      try Tensor.full(1e-3, shape: [30_000]),
    ]
    let names = ["x", "y", "z"]
    let state = try ModelState(zip(names, tensors).map { (name: $0, tensor: $1) })
    let sorted = try abs(concatenate(tensors.map { try $0.flattened() })).sorted().values
    for percentile in [0.0, 12.5, 37.3, 99.99] {
      let result = try PercentilePrivacy(percentile: percentile, gamma: 1e3)
        .apply(to: .difference(state), in: Sample.context())
      let place = percentile / 100 * Double(sorted.count - 1)
      let rank = Int(place)
      let low = try sorted.slice(at: rank).item()
      let high = try sorted.slice(at: rank + 1).item()
      let cutoff = low + (high - low) * (place - Double(rank))
      for (name, tensor) in state.entries {
        let expected = try tensor.filled(0, where: abs(tensor).isLess(than: cutoff))
        #expect(try result[name].isIdentical(to: expected), "\(name), \(percentile)")
      }
    }
  }

  @Test(arguments: [1, 10, 90, 1000, 25_000_000])
  func theLossesOfTheSparseVectorTechniqueAgreeWithNumPy(elements: Int) throws {
    let filter = try SVTPrivacy()
    let numbers: [Double] = [
      Double(filter.sharedCount(elements: elements)), filter.queryEpsilon(elements: elements),
      filter.epsilon(elements: elements), filter.thresholdScale,
      filter.queryScale(elements: elements), filter.releaseScale,
    ]
    expectClose(
      try Sample.golden("svt-\(elements)/numbers"),
      numbers,
      absolute: 0,
      relative: 1e-12
    )
    #expect(filter.epsilon(elements: 0) == filter.thresholdEpsilon)
  }

  @Test(arguments: [Exchange.Kind.weights, .weightDifference])
  func withoutNoiseTheSparseVectorTechniqueIsAThreshold(kind: Exchange.Kind) throws {
    let filter = try SVTPrivacy(
      fraction: 1,
      epsilon: 1e12,
      noiseVariance: 1e12,
      gamma: 0.012,
      tau: 0.006,
      replacement: false
    )
    let result = try filter.apply(
      to: Self.exchange(kind, steps: 5),
      in: Sample.context(reference: .weights(Sample.reference()))
    )
    for name in ["a", "b"] {
      try expectClose(Self.change(of: result, name), Sample.golden("svt-quiet/\(name)"), "\(name)")
    }
  }

  @Test func theSparseVectorTechniqueSharesAsMuchAsItSays() throws {
    let change = Exchange.difference(
      try Sample.state(("x", Sample.normal([100, 100])), ("y", Sample.normal([], seed: 3)))
    )
    func shared(_ replacement: Bool, seed: UInt64) throws -> (count: Int, exchange: Exchange) {
      let result = try SVTPrivacy(gamma: 0.5, replacement: replacement)
        .apply(to: change, in: Sample.context(seed: seed))
      let counts = try result.tensors.tensors.map { try $0.differs(from: 0).sum().itemAsInteger() }
      for tensor in result.tensors.tensors {
        #expect(try abs(tensor).maximum().item() <= 0.5)
      }
      return (counts.reduce(0, +), result)
    }
    // Noise that is clamped is never exactly 0.
    let whole = try shared(false, seed: 1)
    #expect(whole.count == 1001)
    // Of n draws from n with replacement, 1 - 1/e are different: 633 ± 4 · 9.8.
    let drawn = try shared(true, seed: 1)
    #expect((594...672).contains(drawn.count))
    #expect(try shared(false, seed: 1).exchange.tensors.isIdentical(to: whole.exchange.tensors))
    #expect(try !shared(false, seed: 2).exchange.tensors.isIdentical(to: whole.exchange.tensors))
  }

  @Test func aThresholdThatNothingReachesEndsWithNothingShared() throws {
    let result = try SVTPrivacy(epsilon: 1e6, gamma: 1e-3, tau: 5)
      .apply(to: .difference(Sample.change()), in: Sample.context())
    for tensor in result.tensors.tensors {
      #expect(try tensor.differs(from: 0).any().item() == 0)
    }
  }

  @Test func tensorsWithoutFractionsFollowTheRule() throws {
    let change = Exchange.difference(
      try Sample.state(
        ("w", Sample.normal([4])),
        ("steps", Tensor([5])),
        ("mask", Tensor([true]))
      )
    )
    for filter in [
      try PercentilePrivacy() as any Filter, try SVTPrivacy(), try GaussianNoise(),
      try LaplaceNoise(),
    ] {
      let result = try filter.apply(to: change, in: Sample.context())
      #expect(result.tensors.names == ["w"])
      #expect(result.metadata.excluded == ["steps", "mask"])
    }
    for filter in [
      try PercentilePrivacy(nonFloating: .kept) as any Filter, try SVTPrivacy(nonFloating: .kept),
      try GaussianNoise(nonFloating: .kept), try LaplaceNoise(nonFloating: .kept), try ClipNorm(),
    ] {
      let result = try filter.apply(to: change, in: Sample.context())
      #expect(result.tensors.names == change.tensors.names)
      #expect(try result["steps"].isIdentical(to: change["steps"]))
    }
    expectRefusal(naming: "site-4", "'steps'", "int64") {
      _ = try GaussianNoise(nonFloating: .refused).apply(to: change, in: Sample.context())
    }
    let complex = Exchange.difference(try Sample.state(("z", Tensor.zeros([2], dtype: .complex64))))
    expectRefusal(naming: "'z'", "complex64") {
      _ = try GaussianNoise(nonFloating: .kept).apply(to: complex, in: Sample.context())
    }
  }

  @Test(arguments: [DType.float16, .bfloat16, .float32, .float64], [Double.nan, -.infinity])
  func numbersThatAreNotFiniteAreRefused(dtype: DType, value: Double) throws {
    let filters: [any Filter] = [
      try PercentilePrivacy(), try SVTPrivacy(), try ClipNorm(), try GaussianNoise(),
      try LaplaceNoise(), try ConvertWeights(), try ConvertWeights(to: .weights), try TopK(),
    ]
    let fine = try Tensor.zeros([300], dtype: dtype)
    let spoilt = try concatenate([fine.slices(in: 0..<299), .full(value, shape: [1], dtype: dtype)])
    let reference = Exchange.weights(try Sample.state(("good", fine), ("bad", fine)))
    let state = try Sample.state(("good", fine), ("bad", spoilt))
    for filter in filters {
      for exchange in [Exchange.weights(state), .difference(state)] {
        let isSame = (filter as? ConvertWeights)?.kind == exchange.kind
        guard !isSame else { continue }
        expectRefusal(naming: "site-4", "'bad'", "not finite") {
          _ = try filter.apply(to: exchange, in: Sample.context(reference: reference))
        }
      }
    }
  }

  @Test func argumentsOutOfRangeAreNamed() {
    expectRefusal(.invalidConfiguration, naming: "percentile", "101.0", "0...100") {
      _ = try PercentilePrivacy(percentile: 101)
    }
    expectRefusal(.invalidConfiguration, naming: "percentile", "nan") {
      _ = try PercentilePrivacy(percentile: .nan)
    }
    expectRefusal(.invalidConfiguration, naming: "gamma", "0.0") {
      _ = try PercentilePrivacy(gamma: 0)
    }
    expectRefusal(.invalidConfiguration, naming: "svt-privacy", "fraction") {
      _ = try SVTPrivacy(fraction: 1.5)
    }
    expectRefusal(.invalidConfiguration, naming: "epsilon") { _ = try SVTPrivacy(epsilon: -1) }
    expectRefusal(.invalidConfiguration, naming: "noiseVariance") {
      _ = try SVTPrivacy(noiseVariance: .infinity)
    }
    expectRefusal(.invalidConfiguration, naming: "gamma") { _ = try SVTPrivacy(gamma: .nan) }
    expectRefusal(.invalidConfiguration, naming: "tau") { _ = try SVTPrivacy(tau: .nan) }
  }

  @Test func aNumberOfStepsBelowOneIsRefused() throws {
    for filter in [try PercentilePrivacy() as any Filter, try SVTPrivacy()] {
      expectRefusal(naming: "site-4", "steps") {
        _ = try filter.apply(to: Self.exchange(.weightDifference, steps: 0), in: Sample.context())
      }
    }
  }
}
