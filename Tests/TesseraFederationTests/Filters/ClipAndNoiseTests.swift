import TesseraCore
import TesseraFederation
import TesseraTesting
import Testing

@Suite struct ClipAndNoiseTests {
  @Test(arguments: [true, false], [Exchange.Kind.weights, .weightDifference])
  func clippingAgreesWithNumPy(perTensor: Bool, kind: Exchange.Kind) throws {
    let result = try ClipNorm(norm: 0.2, perTensor: perTensor, reportsFactor: true).apply(
      to: PrivacyFilterTests.exchange(kind, steps: nil),
      in: Sample.context(reference: .weights(Sample.reference()))
    )
    let golden = perTensor ? "clip-per-tensor" : "clip"
    for name in ["a", "b"] {
      try expectClose(
        PrivacyFilterTests.change(of: result, name),
        Sample.golden("\(golden)/\(name)"),
        "\(name)"
      )
    }
    if !perTensor {
      let factor = try #require(result.metrics[ClipNorm.factorMetric])
      #expect(abs(factor * (try Sample.golden("clip/norm").item()) - 0.2) < 1e-6)
    }
  }

  @Test(arguments: [DType.float16, .bfloat16, .float32, .float64])
  func aChangeWithinTheNormStaysBitByBit(dtype: DType) throws {
    let weights = Exchange.weights(
      try Sample.state(
        ("x", Sample.normal([5, 3], dtype: dtype)),
        ("empty", Tensor.zeros([0, 2], dtype: dtype)),
        ("scalar", Tensor.full(2, shape: [], dtype: dtype))
      )
    )
    let context = Sample.context(reference: weights)
    let result = try ClipNorm().apply(to: weights, in: context)
    #expect(try result.tensors.isIdentical(to: weights.tensors))
    #expect(result.metrics.isEmpty)
  }

  @Test func extremeLengthsAreClippedOrRefused() throws {
    let large = Exchange.difference(try Sample.state(("x", Tensor.full(3e38, shape: [1000]))))
    let result = try ClipNorm(norm: 2).apply(to: large, in: Sample.context())
    #expect(try abs(result["x"].to(.float64).norm().item() - 2) < 1e-5)
    let larger = Exchange.difference(
      try Sample.state(("x", Tensor.full(1e200, shape: [10], dtype: .float64)))
    )
    expectRefusal(naming: "site-4", "norm") {
      _ = try ClipNorm(norm: 2).apply(to: larger, in: Sample.context())
    }
  }

  @Test func theNormOfMillionsOfElementsKeepsItsDigits() throws {
    let tensor = try Tensor.full(1, shape: [3_000_000])
    let result = try ClipNorm(norm: 1, reportsFactor: true)
      .apply(to: .difference(Sample.state(("x", tensor))), in: Sample.context())
    let factor = try #require(result.metrics[ClipNorm.factorMetric])
    #expect(abs(factor * 3_000_000.0.squareRoot() - 1) < 1e-12)
  }

  @Test func noiseHasItsDistribution() throws {
    let zeros = Exchange.difference(
      try Sample.state(("x", Tensor.zeros([200_000])), ("y", Tensor.zeros([1000])))
    )
    let normal = try GaussianNoise(noiseMultiplier: 0.5, clipNorm: 4)
      .apply(to: zeros, in: Sample.context())
    let laplace = try LaplaceNoise(epsilon: 2, sensitivity: 3)
      .apply(to: zeros, in: Sample.context())
    // Within 4 standard errors of mean, deviation and mean magnitude.
    let root = 200_000.0.squareRoot()
    let x = try normal["x"]
    #expect(try abs(x.mean().item()) < 4 * 2 / root)
    #expect(try abs(x.standardDeviation().item() - 2) < 4 * 2 / root)
    let y = try laplace["x"]
    #expect(try abs(y.mean().item()) < 4 * 1.5 * 1.42 / root)
    #expect(try abs(abs(y).mean().item() - 1.5) < 4 * 1.5 / root)
    #expect(try abs(y.standardDeviation().item() - 1.5 * 2.0.squareRoot()) < 0.03)
    // Half of the magnitudes are below b · ln 2.
    let half = try abs(y).isLess(than: 1.5 * 0.693147).to(.float64).mean().item()
    #expect(abs(half - 0.5) < 0.005)
    // Tensors do not share their noise.
    #expect(try !normal["x"].slices(in: 0..<1000).isIdentical(to: normal["y"]))
  }

  @Test func noiseFollowsFromTheSecretAndFromWhatItIsAddedTo() throws {
    let change = Exchange.difference(try Sample.change())
    func noisy(
      _ filter: any Filter,
      _ secrets: SecretSource,
      seed: UInt64 = 1,
      _ exchange: Exchange? = nil
    ) throws -> ModelState {
      try filter.apply(to: exchange ?? change, in: Sample.context(seed: seed, secrets: secrets))
        .tensors
    }
    let kept = SecretSource.held(HeldSecret())
    for filter in [
      try GaussianNoise() as any Filter, try LaplaceNoise(),
      try SVTPrivacy(fraction: 1, gamma: 1, replacement: false),
    ] {
      let first = try noisy(filter, kept)
      // Whoever knows the task's key knows nothing of the noise.
      #expect(try noisy(filter, kept, seed: 2).isIdentical(to: first))
      #expect(try !noisy(filter, .held(HeldSecret())).isIdentical(to: first))
      #expect(try !noisy(filter, .system).isIdentical(to: noisy(filter, .system)))
      let one = try noisy(filter, .reproducible(RandomKey(seed: 1)))
      #expect(try noisy(filter, .reproducible(RandomKey(seed: 1))).isIdentical(to: one))
      #expect(try !noisy(filter, .reproducible(RandomKey(seed: 2))).isIdentical(to: one))
    }
    // Asked for two changes under one key, a site does not give their difference away.
    let shifted = Exchange.difference(try change.tensors.mapTensors { try $1 + 1 })
    let filter = try GaussianNoise(standardDeviation: 1)
    let (a, b) = (try noisy(filter, kept), try noisy(filter, kept, shifted))
    for (name, tensor) in a.entries {
      let difference = try #require(b[name]) - tensor - 1
      #expect(try abs(difference).maximum().item() > 0.1, "\(name)")
    }
    let silent = try noisy(GaussianNoise(standardDeviation: 0), kept)
    #expect(try silent.isIdentical(to: change.tensors))
  }

  @Test func magnitudesAreClippedByTheirSum() throws {
    let change = Exchange.difference(
      try Sample.state(("a", Tensor([3, -1] as [Float])), ("b", Tensor([4] as [Float])))
    )
    let clipped = try ClipNorm(norm: 2, measure: .l1).apply(to: change, in: Sample.context())
    #expect(try clipped["a"].array(of: Float.self) == [0.75, -0.25])
    #expect(try clipped["b"].array(of: Float.self) == [1])
    let each = try ClipNorm(norm: 2, measure: .l1, perTensor: true)
      .apply(to: change, in: Sample.context())
    #expect(try each["a"].array(of: Float.self) == [1.5, -0.5])
    #expect(try each["b"].array(of: Float.self) == [2])
    let short = try ClipNorm(norm: 8, measure: .l1).apply(to: change, in: Sample.context())
    #expect(try short.tensors.isIdentical(to: change.tensors))
  }

  @Test func argumentsOutOfRangeAreNamed() {
    expectRefusal(.invalidConfiguration, naming: "clip-norm", "norm", "-1.0", "above 0") {
      _ = try ClipNorm(norm: -1)
    }
    expectRefusal(.invalidConfiguration, naming: "standardDeviation") {
      _ = try GaussianNoise(standardDeviation: .nan)
    }
    expectRefusal(.invalidConfiguration, naming: "noiseMultiplier") {
      _ = try GaussianNoise(noiseMultiplier: -1)
    }
    expectRefusal(.invalidConfiguration, naming: "clipNorm") { _ = try GaussianNoise(clipNorm: 0) }
    expectRefusal(.invalidConfiguration, naming: "scale") { _ = try LaplaceNoise(scale: -1) }
    expectRefusal(.invalidConfiguration, naming: "epsilon") { _ = try LaplaceNoise(epsilon: 0) }
    expectRefusal(.invalidConfiguration, naming: "sensitivity") {
      _ = try LaplaceNoise(sensitivity: .infinity)
    }
  }
}
