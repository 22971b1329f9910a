import TesseraCore
import TesseraFederation
import TesseraTesting
import Testing

@Suite struct TopKTests {
  static func dense(_ sent: Exchange, _ reference: ModelState) throws -> Exchange {
    try Densify().apply(to: sent, in: Sample.context(.server, reference: .weights(reference)))
  }

  @Test(arguments: [Exchange.Kind.weights, .weightDifference])
  func theLargestChangesOfTheModelAreSent(kind: Exchange.Kind) throws {
    let reference = try Sample.reference()
    let sent = try TopK(count: 20).apply(
      to: PrivacyFilterTests.exchange(kind, steps: nil),
      in: Sample.context(reference: .weights(reference))
    )
    #expect(sent.kind == .weightDifference)
    #expect(sent.tensors.names == ["a", "a#index", "b", "b#index"])
    #expect(try sent["a"].count + sent["b"].count == 20)
    #expect(try sent["a#index"].dtype == .int32)
    let back = try Self.dense(sent, reference)
    #expect(back.metadata.processing.isEmpty)
    for name in ["a", "b"] { try expectClose(back[name], Sample.golden("top-20/\(name)")) }
  }

  @Test func ofEachTensorItsOwnLargestAreSent() throws {
    let change = Exchange.difference(
      try Sample.state(
        ("small", Tensor([0.1, -0.3, 0.2] as [Float])),
        ("n", Tensor([1, 2])),
        ("large", Tensor([5, 9, -7] as [Float]))
      )
    )
    let sent = try TopK(fraction: 0.5, perTensor: true).apply(to: change, in: Sample.context())
    #expect(sent.tensors.names == ["small", "small#index", "n", "large", "large#index"])
    expectClose(try sent["small"], [-0.3, 0.2])
    #expect(try sent["small#index"].array(of: Int32.self) == [1, 2])
    expectClose(try sent["large"], [9, -7])
    let whole = try TopK(fraction: 0.5).apply(to: change, in: Sample.context())
    #expect(try whole["small"].count == 0)
    #expect(try whole["large"].count == 3)
  }

  @Test func equalMagnitudesGoInOrderAndZerosNever() throws {
    let change = Exchange.difference(
      try Sample.state(
        ("x", Tensor([1, -2, 1, 0] as [Float])),
        ("y", Tensor([-1, 1, 2, 0] as [Float]))
      )
    )
    func positions(_ count: Int) throws -> [[Int32]] {
      let sent = try TopK(count: count).apply(to: change, in: Sample.context())
      return try [sent["x#index"].array(), sent["y#index"].array()]
    }
    #expect(try positions(3) == [[0, 1], [2]])
    #expect(try positions(5) == [[0, 1, 2], [0, 2]])
    #expect(try positions(8) == [[0, 1, 2], [0, 1, 2]])
    #expect(try positions(.max) == [[0, 1, 2], [0, 1, 2]])
  }

  @Test(arguments: [DType.float16, .bfloat16, .float32, .float64], [true, false])
  func whatWasHeldBackIsSentLater(dtype: DType, perTensor: Bool) throws {
    let shapes: [(String, [Int])] = [("x", [40, 25]), ("y", [300]), ("s", []), ("e", [0, 3])]
    let reference = try ModelState(
      shapes.map { (name: $0.0, tensor: try Tensor.zeros($0.1, dtype: dtype)) }
    )
    let memory = SiteMemory()
    let filter = try TopK(fraction: 0.05, perTensor: perTensor)
    var expected = try reference.mapTensors { try $1.to(.float64) }
    var received = expected
    for round in 1...12 {
      let change = try reference.mapTensors { name, tensor in
        try Sample.normal(tensor.shape, dtype: dtype, seed: UInt64(round * 100 + name.utf8.count))
      }
      let sent = try filter.apply(
        to: .difference(change),
        in: Sample.context(round: round, reference: .weights(reference), memory: memory)
      )
      let back = try Self.dense(sent, reference)
      received = try received.mapTensors { try $1 + back[$0].to(.float64) }
      expected = try expected.mapTensors { try $1 + #require(change[$0]).to(.float64) }
    }
    let rest = try #require(memory[TopK.memoryName(of: .train)])
    for (name, tensor) in received.entries {
      try expectClose(
        tensor + #require(rest[name]).to(.float64),
        #require(expected[name]),
        absolute: dtype == .float64 ? 1e-13 : 2e-6,
        relative: 0,
        "\(name), \(dtype)"
      )
    }
    #expect(try received["x"].map { try $0.differs(from: 0).sum().item() } ?? 0 > 200)
  }

  @Test func withoutErrorFeedbackNothingIsRemembered() throws {
    let memory = SiteMemory()
    let filter = try TopK(fraction: 0.1, errorFeedback: false)
    let change = Exchange.difference(try Sample.change())
    let first = try filter.apply(to: change, in: Sample.context(memory: memory))
    let second = try filter.apply(to: change, in: Sample.context(memory: memory))
    #expect(try first.tensors.isIdentical(to: second.tensors))
    #expect(memory.contents.isEmpty)
  }

  @Test func aChangeThatIsNotFiniteIsRefusedAndNothingRemembered() throws {
    let memory = SiteMemory()
    let change = Exchange.difference(try Sample.state(("x", Tensor([1, .nan] as [Float]))))
    expectRefusal(naming: "site-4", "'x'") {
      _ = try TopK().apply(to: change, in: Sample.context(memory: memory))
    }
    #expect(memory.contents.isEmpty)
  }

  @Test func theLargestOfAMillionAreThoseOfASort() throws {
    let x = try Sample.normal([1_000_003])
    let sent = try TopK(count: 12_345).apply(
      to: .difference(Sample.state(("x", x))),
      in: Sample.context()
    )
    let order = try abs(x).argsort(descending: true).slices(in: 0..<12_345).sorted().values
    #expect(try sent["x#index"].to(.int64).isIdentical(to: order))
    #expect(try sent["x"].isIdentical(to: x.gathered(order)))
  }

  @Test func argumentsOutOfRangeAreNamed() {
    expectRefusal(.invalidConfiguration, naming: "top-k", "fraction", "0.0") {
      _ = try TopK(fraction: 0)
    }
    expectRefusal(.invalidConfiguration, naming: "top-k", "fraction", "nan") {
      _ = try TopK(fraction: .nan)
    }
    expectRefusal(.invalidConfiguration, naming: "top-k", "count", "0") { _ = try TopK(count: 0) }
  }
}
