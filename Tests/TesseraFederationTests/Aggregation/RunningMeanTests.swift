import TesseraCore
import TesseraFederation
import Testing

@Suite struct RunningMeanTests {
  static func state(_ values: [Float], _ counter: Int = 0) throws -> ModelState {
    try ModelState([
      (name: "weight", tensor: Tensor(values, shape: [2, values.count / 2])),
      (name: "steps", tensor: Tensor(counter)),
    ])
  }

  let site = Site(index: 0, name: "site-1", exampleCount: 10)

  @Test func theMeanIsWeighted() throws {
    var mean = try RunningMean(updating: Self.state([0, 0, 0, 0]), capacity: 100)
    try mean.fold(Exchange.weights(Self.state([1, 2, 0, -1], 4), weight: 1), from: site)
    try mean.fold(Exchange.weights(Self.state([0, 0, 0.5, 1], 8), weight: 3), from: site)
    let result = try mean.mean()
    #expect(try result["weight"]?.array(of: Float.self) == [0.25, 0.5, 0.375, 0.5])
    #expect(try result["steps"]?.itemAsInteger() == 7)
    #expect(result["steps"]?.dtype == .int64)
    #expect(result.names == ["weight", "steps"])
  }

  @Test func theOrderOfUpdatesDoesNotMatter() throws {
    let generator = try Generator(seed: 3)
    let updates = try (0..<20).map { index in
      Exchange.weights(
        try ModelState([
          (
            name: "weight",
            tensor: Tensor.normal([1000], deviation: 0.1, dtype: .float64, using: generator)
          )
        ]),
        // No binary fractions: sums of such numbers depend on their order, unless something is done about it.
        weight: 0.1 + Double(index % 7) / 10
      )
    }
    let start = try ModelState([(name: "weight", tensor: Tensor.zeros([1000], dtype: .float64))])
    func mean(_ order: [Int]) throws -> ModelState {
      var mean = try RunningMean(updating: start, capacity: 1000)
      for index in order { try mean.fold(updates[index], from: site) }
      return try mean.mean()
    }
    var numbers = KeyedRandomNumbers(key: RandomKey(seed: 5))
    let reference = try mean(Array(0..<20))
    for _ in 0..<5 {
      let shuffled = Array(0..<20).shuffled(using: &numbers)
      #expect(try mean(shuffled).isIdentical(to: reference))
    }
  }

  @Test(arguments: [Float.nan, .infinity, -.infinity, 1e30, 70_000])
  func anUpdateWithAValueNoModelMayHoldIsRefusedByNameAndLeavesNoTrace(bad: Float) throws {
    let good = Exchange.weights(try Self.state([1, 2, 3, 4], 3), weight: 2)
    var mean = try RunningMean(updating: Self.state([0.5, 1, 1, 1]), capacity: 100)
    var expected = mean
    try mean.fold(good, from: site)
    try expected.fold(good, from: site)
    // Large tensors are folded in chunks: the bad value comes late, after some were added.
    let error = #expect(throws: FederationError.self) {
      try mean.fold(Exchange.weights(Self.state([1, 2, 3, bad], 9), weight: 3), from: site)
    }
    #expect(error?.message.contains("site-1: tensor 'weight'") == true)
    #expect(error?.message.contains("beyond ±65536") == true)
    #expect(error?.message.contains("70000") == false, "no values in messages")
    #expect(try mean.mean().isIdentical(to: expected.mean()))
    #expect(mean.totalWeight == 2)
  }

  @Test func theMeanIsAsExactAsItsDType() throws {
    let generator = try Generator(seed: 9)
    for (dtype, error) in [(DType.float32, 0.0), (.float64, 1e-13)] {
      let start = try ModelState([(name: "a", tensor: Tensor.zeros([500], dtype: dtype))])
      var mean = try RunningMean(updating: start, capacity: 10_000)
      var expected = try Tensor.zeros([500], dtype: .float64)
      for _ in 0..<100 {
        // Small numbers beside the bound, as weights are.
        let tensor = try Tensor.normal([500], deviation: 1e-3, dtype: dtype, using: generator)
        let update = Exchange.weights(try ModelState([(name: "a", tensor: tensor)]), weight: 7)
        try mean.fold(update, from: site)
        expected = try expected + tensor.to(.float64) / 100
      }
      let found = try #require(try mean.mean()["a"])
      let distance = try abs(found.to(.float64) - expected).maximum().item()
      // A float32 near 1e-3 is known to 2^-34.
      #expect(distance <= max(error, dtype == .float32 ? 0x1p-33 : 0))
    }
  }

  @Test func aLateBadValueInALargeTensorLeavesNoTrace() throws {
    let start = try ModelState([(name: "a", tensor: Tensor.zeros([20_000]))])
    var mean = try RunningMean(updating: start, capacity: 100)
    let ones = Exchange.weights(
      try ModelState([(name: "a", tensor: Tensor.ones([20_000]))]),
      weight: 1
    )
    try mean.fold(ones, from: site)
    var values = [Float](repeating: 0.3, count: 20_000)
    values[19_999] = .nan
    let bad = Exchange.weights(try ModelState([(name: "a", tensor: Tensor(values))]), weight: 1)
    #expect(throws: FederationError.self) { try mean.fold(bad, from: site) }
    let result = try mean.mean()
    #expect(try result["a"]?.isIdentical(to: Tensor.ones([20_000])) == true)
  }

  @Test func anUpdateOfAnotherShapeDtypeOrNameIsRefused() throws {
    var mean = try RunningMean(updating: Self.state([0, 0, 0, 0]), capacity: 100)
    let wrong: [ModelState] = [
      try Self.state([1, 2, 3, 4, 5, 6]),
      try ModelState([(name: "weight", tensor: Tensor.zeros([2, 2]))]),
      try ModelState([
        (name: "weights", tensor: Tensor.zeros([2, 2])), (name: "steps", tensor: Tensor(0)),
      ]),
      try ModelState([
        (name: "weight", tensor: Tensor.zeros([2, 2], dtype: .float64)),
        (name: "steps", tensor: Tensor(0)),
      ]),
    ]
    for state in wrong {
      let error = #expect(throws: FederationError.self) {
        try mean.fold(Exchange.weights(state, weight: 1), from: site)
      }
      #expect(error?.message.hasPrefix("site-1: ") == true)
    }
    #expect(mean.totalWeight == 0)
  }

  @Test(arguments: [0, -1, Double.nan, Double.infinity, 11])
  func aWeightBeyondTheAnnouncedExamplesIsRefused(weight: Double) throws {
    var mean = try RunningMean(updating: Self.state([0, 0, 0, 0]), capacity: 100)
    #expect(throws: FederationError.self) {
      try mean.fold(Exchange.weights(Self.state([1, 1, 1, 1]), weight: weight), from: site)
    }
  }

  @Test func withoutUpdatesThereIsNoMean() throws {
    let mean = try RunningMean(updating: Self.state([0, 0, 0, 0]), capacity: 1)
    #expect(throws: FederationError.self) { try mean.mean() }
  }

  @Test(arguments: [Double.nan, .infinity, 1e300, -1e200])
  func aGlobalModelWithNumbersNoSumCanHoldIsRefusedByName(bad: Double) throws {
    let model = try ModelState([(name: "weight", tensor: Tensor([1, bad]))])
    let error = #expect(throws: FederationError.self) {
      try RunningMean(updating: model, capacity: 10)
    }
    #expect(error?.message.contains("'weight'") == true)
  }

  @Test func infinityDoesNotPassForALargeModelsWeight() throws {
    let start = try ModelState([(name: "a", tensor: Tensor([3e38] as [Float]))])
    var mean = try RunningMean(updating: start, capacity: 10)
    let bad = Exchange.weights(
      try ModelState([(name: "a", tensor: Tensor([Float.infinity]))]),
      weight: 1
    )
    #expect(throws: FederationError.self) { try mean.fold(bad, from: site) }
    try mean.fold(Exchange.weights(start, weight: 1), from: site)
    #expect(try mean.mean().isIdentical(to: start))
  }
}
