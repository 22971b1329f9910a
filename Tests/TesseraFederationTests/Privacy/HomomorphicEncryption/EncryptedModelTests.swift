import TesseraCore
import TesseraFederation
import TesseraTesting
import Testing

@Suite struct EncryptedModelTests {
  let secretKey: CKKSSecretKey
  let context: CKKSContext
  let pool = LanePool(lanes: 2)

  init() throws {
    secretKey = try #require(EncryptedTensorTests.key)
    context = secretKey.context
  }

  /// Seven tensors of several shapes and dtypes, 71,000 elements: two blocks, the second not full.
  func model(seed: UInt64) throws -> ModelState {
    let generator = try Generator(seed: seed)
    return try ModelState([
      (name: "conv", tensor: Tensor.normal([16, 3, 5, 5], using: generator)),
      (name: "none", tensor: Tensor.zeros([0, 4])),
      (name: "hidden", tensor: Tensor.normal([70, 939], using: generator)),
      (name: "scale", tensor: Tensor.normal([], dtype: .float64, using: generator)),
      (name: "half", tensor: Tensor.normal([4039], using: generator).to(.float16)),
      (name: "turned", tensor: Tensor.normal([10, 3], using: generator).transposed(0, 1)),
      (name: "bias", tensor: Tensor.normal([1], using: generator)),
    ])
  }

  func expectClose(_ found: ModelState, _ expected: ModelState, absolute: Double) {
    #expect(found.names == expected.names)
    for (name, (a, b)) in zip(found.names, zip(found.tensors, expected.tensors)) {
      #expect(a.dtype == b.dtype)
      TesseraTesting.expectClose(
        a,
        b,
        absolute: a.dtype == .float16 ? 2e-3 : absolute,
        relative: 0,
        name
      )
    }
  }

  @Test func aModelComesBack() async throws {
    let model = try model(seed: 1)
    let encrypted = try await secretKey.encrypt(model, weight: 0.5, on: pool)
    #expect(encrypted.layout == ModelLayout(of: model))
    #expect(encrypted.weight == 0.5)
    // 18 ciphertexts hold 71,000 elements; with their headers they are no more than that.
    #expect(model.parameterCount > 17 * 4096 && model.parameterCount <= 18 * 4096)
    #expect(encrypted.byteCount < 18 * 66_000)
    expectClose(try await secretKey.decrypt(encrypted, on: pool), model, absolute: 1e-7)
  }

  @Test func theEncryptedWeightedMeanIsThePlainOne() async throws {
    let weights = [1.0, 5, 2]
    let models = try (0..<3).map { try model(seed: UInt64($0)) }
    let site = Site(index: 0, name: "site", exampleCount: 8)
    var plain = try RunningMean(updating: models[0], capacity: 8)
    var sum = try EncryptedModelSum(of: ModelLayout(of: models[0]), in: context)
    for (index, (model, weight)) in zip(models, weights).enumerated() {
      try plain.fold(.weights(model, weight: weight), from: site)
      let encrypted =
        index == 1
        ? try await context.encrypt(model, weight: weight / 8, on: pool)
        : try await secretKey.encrypt(model, weight: weight / 8, on: pool)
      // By way of tensors, as they travel.
      let arrived = try EncryptedModel(encrypted.state(), in: context)
      try await sum.add(arrived, from: "site-\(index + 1)", on: pool)
    }
    #expect(sum.addends == 3)
    #expect(sum.weight == 1)
    let total = try await sum.total(on: pool)
    #expect(total.addends == 3)
    let mean = try await secretKey.decrypt(EncryptedModel(total.state(), in: context), on: pool)
    expectClose(mean, try plain.mean(), absolute: 1e-6)
  }

  @Test func reproducibleRandomnessDoesNotDependOnTheLanes() async throws {
    let model = try model(seed: 2)
    let key = RandomKey(seed: 7)["round"][1]["site"][2]
    var states: [ModelState] = []
    for lanes in 1...3 {
      states.append(
        try await secretKey.encrypt(
          model,
          on: LanePool(lanes: lanes),
          randomness: .insecureReproducible(key)
        ).state()
      )
    }
    #expect(try states[0].isIdentical(to: states[1]))
    #expect(try states[0].isIdentical(to: states[2]))
    // Blocks and ciphertexts of one key have draws of their own: the same elements are never the same bytes.
    let constant = try ModelState([(name: "a", tensor: Tensor.ones([17 * 4096]))])
    let encrypted = try await secretKey.encrypt(
      constant,
      on: pool,
      randomness: .insecureReproducible(key)
    ).state()
    let first = try #require(encrypted["ckks.0"]).array(of: UInt8.self)
    let second = try #require(encrypted["ckks.1"]).array(of: UInt8.self)
    let pieces = [first[1000..<1064], first[67_000..<67_064], second[1000..<1064]].map(Array.init)
    #expect(Set(pieces).count == 3)
  }

  @Test func wholeNumbersAreRefusedByName() async throws {
    let model = try ModelState([
      (name: "weight", tensor: Tensor.ones([3])), (name: "steps", tensor: Tensor(4)),
    ])
    let error = await #expect(throws: FederationError.self) {
      try await secretKey.encrypt(model, on: pool)
    }
    #expect(error?.message.contains("'steps' of int64") == true)
  }

  @Test(arguments: [Float.nan, .infinity, 70_000])
  func aValueThatIsTooLargeIsRefusedByTheNameOfItsTensor(bad: Float) async throws {
    var values = [Float](repeating: 1, count: 5000)
    values[4990] = bad
    let model = try ModelState([
      (name: "first", tensor: Tensor.ones([4000])), (name: "empty", tensor: Tensor.ones([0])),
      (name: "second", tensor: Tensor(values)), (name: "third", tensor: Tensor.ones([10])),
    ])
    let error = await #expect(throws: FederationError.self) {
      try await secretKey.encrypt(model, on: pool)
    }
    #expect(error?.message.contains("'second'") == true)
    #expect(error?.message.contains("70000") == false)
  }

  @Test func aModelWithoutElementsIsEncrypted() async throws {
    let model = try ModelState([(name: "none", tensor: Tensor.zeros([0, 3]))])
    let encrypted = try await secretKey.encrypt(model, on: pool)
    var sum = try EncryptedModelSum(of: encrypted.layout, in: context)
    try await sum.add(encrypted, from: "site-1", on: pool)
    let mean = try await secretKey.decrypt(sum.total(on: pool), on: pool)
    #expect(mean["none"]?.shape == [0, 3])
    let nothing = try await secretKey.encrypt(ModelState([]), on: pool)
    #expect(try await secretKey.decrypt(nothing, on: pool).names == [])
  }

  @Test func aRefusedModelLeavesNoTrace() async throws {
    let model = try model(seed: 3)
    let good = try await secretKey.encrypt(model, weight: 0.1, on: pool)
    var sum = try EncryptedModelSum(of: good.layout, in: context)
    try await sum.add(good, from: "site-1", on: pool)
    // The second block is damaged late: the first has been added by then.
    let state = try await secretKey.encrypt(model, weight: 0.2, on: pool).state()
    let damaged = try state.mapTensors { name, tensor in
      guard name == "ckks.1" else { return tensor }
      var bytes = try tensor.array(of: UInt8.self)
      bytes[bytes.count - 5] ^= 4
      return try Tensor(bytes)
    }
    let bad = try EncryptedModel(damaged, in: context)
    var error: FederationError?
    do { try await sum.add(bad, from: "site-2", on: pool) } catch let refusal as FederationError {
      error = refusal
    }
    #expect(error?.message.hasPrefix("site-2: ") == true)
    #expect(sum.addends == 1)
    #expect(sum.weight == 0.1)
    try await sum.add(good, from: "site-3", on: pool)
    let mean = try await secretKey.decrypt(sum.total(on: pool), on: pool)
    expectClose(mean, model, absolute: 1e-7)
  }

  @Test func modelsOfAnotherLayoutOrKeyAreRefused() async throws {
    let model = try model(seed: 4)
    var sum = try EncryptedModelSum(of: ModelLayout(of: model), in: context)
    let renamed = try ModelState(
      model.entries.map { (name: $0.name == "half" ? "halb" : $0.name, tensor: $0.tensor) }
    )
    let encrypted = try await secretKey.encrypt(renamed, on: pool)
    var error: FederationError?
    do { try await sum.add(encrypted, from: "site-1", on: pool) } catch let refusal
      as FederationError
    {
      error = refusal
    }
    #expect(error?.message.contains("site-1: ") == true)
    #expect(error?.message.contains("'half'") == true)
    let other = try CKKSSecretKey()
    let foreign = try await other.encrypt(model, on: pool)
    #expect(throws: FederationError.self) { try EncryptedModel(foreign.state(), in: context) }
    do {
      try await sum.add(foreign, from: "site-2", on: pool)
      Issue.record("a model under another key was added")
    } catch is FederationError {}
    #expect(sum.addends == 0)
    await #expect(throws: FederationError.self) {
      try await secretKey.decrypt(foreign, on: pool)
    }
    do {
      _ = try await sum.total(on: pool)
      Issue.record("there is no sum of no models")
    } catch let error as FederationError {
      #expect(error.code == .tooFewSites)
    }
  }

  @Test func statesThatAreNoEncryptedModelAreRefused() async throws {
    let model = try model(seed: 5)
    let state = try await secretKey.encrypt(model, on: pool).state()
    func expectRefusal(_ entries: [(name: String, tensor: Tensor)]) throws {
      let changed = try ModelState(entries)
      #expect(throws: FederationError.self) { try EncryptedModel(changed, in: context) }
    }
    try expectRefusal(model.entries)
    try expectRefusal([])
    try expectRefusal(state.entries.filter { $0.name != "ckks.layout" })
    try expectRefusal(state.entries.filter { $0.name != "ckks.0" })
    try expectRefusal(state.entries.filter { $0.name != "ckks.1" })
    let blocks = state.entries
    try expectRefusal([
      blocks[0], (name: "ckks.0", tensor: blocks[2].tensor),
      (name: "ckks.1", tensor: blocks[1].tensor),
    ])
    // The blocks of a model of other names, with this one's layout.
    let renamed = try ModelState(model.entries.map { (name: $0.name + "x", tensor: $0.tensor) })
    let others = try await secretKey.encrypt(renamed, on: pool).state().entries
    try expectRefusal([blocks[0], others[1], others[2]])
    // Blocks of two models with different weights.
    let heavier = try await secretKey.encrypt(model, weight: 0.5, on: pool).state().entries
    try expectRefusal([blocks[0], blocks[1], heavier[2]])
    let original = try #require(state["ckks.layout"]).array(of: UInt8.self)
    expectDamageIsRefused(
      as: FederationError.self,
      in: original,
      key: RandomKey(seed: 6),
      count: 100
    ) { bytes in
      let entries = state.entries.map {
        (name: $0.name, tensor: $0.name == "ckks.layout" ? layout(bytes) : $0.tensor)
      }
      _ = try EncryptedModel(ModelState(entries), in: context)
    }
    func layout(_ bytes: [UInt8]) -> Tensor {
      // A tensor of bytes is always possible.
      (try? Tensor(bytes)) ?? blocks[1].tensor
    }
  }
}
