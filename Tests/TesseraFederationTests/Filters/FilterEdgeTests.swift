import TesseraCore
import TesseraFederation
import TesseraTesting
import Testing

/// Filters on models that are at the edge of what a model is.
@Suite struct FilterEdgeTests {
  /// Tensors without elements, without dimensions, without fractions, and of one value.
  private static func odd() throws -> ModelState {
    try Sample.state(
      ("nothing", Tensor.zeros([0])),
      ("no rows", Tensor.zeros([0, 3])),
      ("no columns", Tensor.zeros([3, 0], dtype: .float64)),
      ("one", Tensor(2.5)),
      ("counts", Tensor([1, 2, 3])),
      ("mask", Tensor([true, false])),
      ("zeros", Tensor.zeros([4099])),
      ("constant", Tensor.full(-3, shape: [4097])),
      ("odd", Sample.normal([65])),
      ("half", Sample.normal([3, 43], dtype: .float16)),
      ("tiny", Tensor.full(1e-45, shape: [100])),
      ("huge", Tensor.full(3e38, shape: [17]))
    )
  }

  private static func start() throws -> ModelState {
    try odd().mapTensors { try Tensor.zeros(like: $1) }
  }

  static let filters: [any Filter] = {
    do {
      return [
        try ClipNorm(norm: 1), try ClipNorm(norm: 1, perTensor: true),
        try GaussianNoise(standardDeviation: 1), try LaplaceNoise(scale: 1),
        try PercentilePrivacy(percentile: 0), try PercentilePrivacy(percentile: 100),
        try SVTPrivacy(fraction: 1), try ExcludeTensors(["*"]), try ExcludeMetrics(),
        try TopK(count: 1), try TopK(count: 1, perTensor: true), try TopK(fraction: 1),
        try TopK(fraction: 1e-300), try TopK(count: .max),
      ] + (try Quantize.Format.allCases.map { try Quantize($0) })
        + (try [Quantize.Format.int8, .fp4, .nf4].map { try Quantize($0, blockSize: 16) })
    } catch {
      Issue.record("\(error)")
      return []
    }
  }()

  @Test(arguments: filters.indices, [Exchange.Kind.weights, .weightDifference])
  func oddModelsPassAndComeBackOrAreRefused(index: Int, kind: Exchange.Kind) throws {
    let filter = Self.filters[index]
    let task = Exchange.weights(try Self.start())
    for left in [[], ["mask"], ["mask", "huge"], ["mask", "huge", "tiny", "half"]] {
      let names = Set(left)
      let model = try ModelState(Self.odd().entries.filter { !names.contains($0.name) })
      var answer = Exchange(kind, tensors: model)
      answer.metadata.samples = 3
      let sent: Exchange
      do {
        sent = try [filter].applied(to: answer, in: Sample.context(reference: task))
      } catch let error as FederationError {
        // Truth values have no differences, and half precision does not reach far.
        #expect(
          error.message.contains("filter '") && !left.contains("mask") || !left.contains("huge")
        )
        continue
      }
      // What is noted is what travels.
      for note in sent.metadata.processing {
        let after = note.tensors.reduce(0) { size, name in
          size
            + ["", "#scale", "#shape", "#index"].reduce(0) { size, suffix in
              size + (sent.tensors[name + suffix].map { $0.count * $0.dtype.byteCount } ?? 0)
            }
        }
        let before = note.tensors.reduce(0) { size, name in
          size + (model[name].map { $0.count * $0.dtype.byteCount } ?? 0)
        }
        #expect(note.bytesAfter == after && note.bytesBefore == before)
      }
      let undo: [any Filter] = [Dequantize(), Densify()]
      let received = try undo.applied(
        to: sent,
        in: Sample.context(.server, reference: task)
      )
      #expect(received.metadata.processing.isEmpty)
      for (name, tensor) in received.tensors.entries {
        let own = try #require(model[name])
        #expect(tensor.shape == own.shape && tensor.dtype == own.dtype, "\(name)")
        let isFinite = try tensor.count == 0 || tensor.isFinite().all().item() == 1
        #expect(isFinite, "\(name)")
      }
    }
  }

  @Test(arguments: [Quantize.Format.int8, .fp4, .nf4], [1, 15, 16, 17, 31, 33, 4095])
  func blocksOfOneValueAndOddCountsComeBackExactly(format: Quantize.Format, count: Int) throws {
    for value in [0.0, -3, 1.0 / 3, 1e30] {
      let model = try Sample.state(
        ("a", Tensor.full(value, shape: [count])),
        ("b", Tensor.zeros([1000]))
      )
      let sent = try Quantize(format, blockSize: 16)
        .apply(to: .weights(model), in: Sample.context())
      let received = try Dequantize().apply(to: sent, in: Sample.context(.server))
      let (a, expected) = (try received["a"], try #require(model["a"]))
      #expect(try a.isClose(to: expected, relative: 1e-6, absolute: 0))
      #expect(try received["b"].isIdentical(to: #require(model["b"])))
    }
  }

  @Test func whatIsHeldBackNeverGrowsBeyondNumbers() throws {
    let memory = SiteMemory()
    let filter = try TopK(count: 1)
    let task = Exchange.weights(try Sample.state(("a", Tensor.zeros([2], dtype: .float16))))
    let change = try Sample.state(("a", Tensor([60_000.0, 50_000]).to(.float16)))
    let context = Sample.context(reference: task, memory: memory)
    _ = try filter.apply(to: .difference(change), in: context)
    let held = try #require(memory.contents.values.first)
    // 50,000 twice are more than half precision has.
    expectRefusal(naming: "site-4", "'a'", "not finite") {
      _ = try filter.apply(to: .difference(change), in: context)
    }
    #expect(try memory.contents.values.first?.isIdentical(to: held) == true)
  }

  @Test func stepsThatCannotBeAreRefused() throws {
    var answer = Exchange.difference(try Sample.change())
    for steps in [Int.max, 0, -1] {
      answer.metadata.steps = steps
      expectRefusal(naming: "steps") {
        _ = try PercentilePrivacy().apply(to: answer, in: Sample.context())
      }
    }
  }

  @Test func descriptionsAreBoundedLikeTensors() throws {
    let limits = ExchangeLimits(names: 10, nameBytes: 20)
    func expectTooMuch(_ change: (inout Exchange) -> Void) throws {
      var exchange = Exchange.weights(try Sample.change())
      try limits.check(exchange)
      change(&exchange)
      expectRefusal(.limitExceeded) { try limits.check(exchange) }
      expectRefusal(.limitExceeded) { try limits.check(.collection(["a": exchange])) }
    }
    let long = String(repeating: "x", count: 21)
    let note = Exchange.Processing("sparse", tensors: ["a"], bytesBefore: 1, bytesAfter: 1)
    try expectTooMuch { $0.metadata.processing = Array(repeating: note, count: 65) }
    try expectTooMuch {
      $0.metadata.processing = [note]; $0.metadata.processing[0].tensors = [long]
    }
    try expectTooMuch {
      $0.metadata.processing = [note]
      $0.metadata.processing[0].tensors = (0...10).map { "\($0)" }
    }
    try expectTooMuch { $0.metadata.excluded = (0...10).map { "\($0)" } }
    try expectTooMuch { $0.metadata.excluded = [long] }
    try expectTooMuch { $0.metadata.algorithm = long }
    try expectTooMuch { $0.metadata.contributor = long }
    try expectTooMuch { $0.kind = .custom(long) }
    try expectTooMuch { $0.headers = ["a": String(repeating: "x", count: 1 << 20 + 1)] }
    // Extents beside a zero are multiplied too.
    for shape in [[0, Int.max, 2], [Int.max, 0], [0, 1 << 62, 8]] {
      expectRefusal(.limitExceeded) {
        var bytes = 0
        try limits.check(tensor: "a", shape: shape, dtype: .float32, bytes: &bytes)
      }
    }
    var bytes = 0
    try limits.check(tensor: "a", shape: [0, 1000, 1000], dtype: .float32, bytes: &bytes)
    #expect(bytes == 0)
  }
}
