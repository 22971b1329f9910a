import TesseraCore
import TesseraFederation
import Testing

/// Exchanges whose notes and tensors do not fit each other, as a faulty or hostile site may send them.
@Suite struct HostileExchangeTests {
  static func quantised(_ format: Quantize.Format) throws -> Exchange {
    try Quantize(format, blockSize: format.rawValue.hasSuffix("16") ? nil : 16)
      .apply(to: .weights(Sample.weights()), in: Sample.context())
  }

  static func sparse() throws -> Exchange {
    try TopK(count: 30).apply(to: .difference(Sample.change()), in: Sample.context())
  }

  static func receive(_ exchange: Exchange) throws -> Exchange {
    let filters: [any Filter] = [Dequantize(), Densify(), try ConvertWeights(to: .weights)]
    let context = Sample.context(.server, reference: .weights(try Sample.reference()))
    return try filters.applied(to: exchange, in: context)
  }

  /// The exchange with one tensor replaced, or left out.
  static func replacing(_ name: String, _ tensor: Tensor?, in exchange: Exchange) throws -> Exchange
  {
    var result = exchange
    result.tensors = try ModelState(
      exchange.tensors.entries.compactMap { entry in
        entry.name == name ? tensor.map { (name: name, tensor: $0) } : entry
      }
    )
    return result
  }

  @Test(arguments: Quantize.Format.allCases)
  func whatIsWholeIsReceived(format: Quantize.Format) throws {
    #expect(try Self.receive(Self.quantised(format)).tensors.names == ["a", "b"])
    #expect(try Self.receive(Self.sparse()).kind == .weights)
  }

  @Test func codesAndScalesThatDoNotFitAreRefused() throws {
    let int8 = try Self.quantised(.int8)
    let nf4 = try Self.quantised(.nf4)
    let cases: [(Exchange, String, Tensor?, String)] = [
      (int8, "b#scale", nil, "'b#scale' is missing"), (int8, "b", nil, "'b'"),
      (int8, "b#scale", try .zeros([7]), "'b#scale'"),
      (int8, "b#scale", try .zeros([1], dtype: .float64), "'b#scale'"),
      (int8, "b#scale", try .zeros([1, 1]), "'b#scale'"),
      (int8, "b#scale", try .full(.nan, shape: [1]), "'b'"),
      (int8, "b#scale", try .full(.infinity, shape: [1]), "'b'"),
      (int8, "b#scale", try .full(-1, shape: [1]), "'b'"),
      (int8, "b", try .zeros([13], dtype: .uint8), "'b'"), (int8, "b", try .zeros([13]), "'b'"),
      (nf4, "a#shape", nil, "'a#shape' is missing"),
      (nf4, "a#shape", try Tensor([7, 12]), "'a'"),
      (nf4, "a#shape", try Tensor([-7, -11]), "site-4"),
      (nf4, "a#shape", try Tensor([Int.max, 2]), "site-4"),
      (nf4, "a#shape", try Tensor([1 << 40, 11]), "site-4"),
      (nf4, "a#shape", try Tensor([0, Int.max]), "'a'"),
      (nf4, "a#shape", try Tensor([7, 11] as [Int32]), "'a#shape'"),
      (nf4, "a#shape", try Tensor([[7, 11]].flatMap { $0 }, shape: [1, 2]), "'a#shape'"),
      (nf4, "a#shape", try .full(1, shape: [1000], dtype: .int64), "dimensions"),
      (nf4, "a", try .zeros([38], dtype: .uint8), "'a'"),
      (nf4, "a", try .zeros([39, 1], dtype: .uint8), "'a'"),
      (nf4, "a#scale", try .zeros([4]), "'a#scale'"),
      (try Self.quantised(.float16), "b", try .full(.nan, shape: [13], dtype: .float16), "'b'"),
      (try Self.quantised(.float16), "b", try .zeros([13], dtype: .bfloat16), "'b'"),
    ]
    for (exchange, name, tensor, word) in cases {
      let bad = try Self.replacing(name, tensor, in: exchange)
      let error = #expect(throws: FederationError.self, "\(name) \(word)") {
        _ = try Dequantize().apply(to: bad, in: Sample.context(.server))
      }
      #expect(error?.code == .rejectedUpdate || error?.code == .limitExceeded)
      #expect(error?.message.contains("site-4") == true, "\(error?.message ?? "")")
      #expect(error?.message.contains(word) == true, "\(error?.message ?? "")")
    }
  }

  @Test func notesThatCannotBeAreRefused() throws {
    let changes: [(inout Exchange.Processing) -> Void] = [
      { $0.parameters = [:] }, { $0.parameters["dtype"] = 4 }, { $0.parameters["dtype"] = -1 },
      { $0.parameters["dtype"] = .nan }, { $0.parameters["dtype"] = 0.5 },
      { $0.parameters["block"] = 0 }, { $0.parameters["block"] = -16 },
      { $0.parameters["block"] = 1e300 }, { $0.parameters["block"] = 32 },
      { $0.tensors.append("b") }, { $0.tensors.append("stranger") },
      { $0.tensors.append("b#scale") }, { $0.tensors = ["b#scale", "b"] },
      { $0.parameters["dtype"] = 3 },
    ]
    for change in changes {
      var bad = try Self.quantised(.int8)
      change(&bad.metadata.processing[0])
      expectRefusal(naming: "site-4") {
        _ = try Dequantize().apply(to: bad, in: Sample.context(.server))
      }
    }
    var buried = try Self.quantised(.int8)
    buried.metadata.processing.append(
      Exchange.Processing("encrypted", tensors: [], bytesBefore: 0, bytesAfter: 0)
    )
    expectRefusal(naming: "site-4", "beneath") {
      _ = try Dequantize().apply(to: buried, in: Sample.context(.server))
    }
  }

  @Test func restoredModelsKeepToTheLimits() throws {
    let sent = try Self.quantised(.nf4)
    expectRefusal(.limitExceeded, naming: "site-4", "bytes") {
      _ = try Dequantize(limits: ExchangeLimits(bytes: 300))
        .apply(to: sent, in: Sample.context(.server))
    }
  }

  @Test func positionsThatDoNotFitAreRefused() throws {
    let sparse = try Self.sparse()
    let count = try #require(sparse.tensors["a"]).count
    func positions(_ change: (inout [Int32]) -> Void) throws -> Tensor {
      var list: [Int32] = try sparse["a#index"].array()
      change(&list)
      return try Tensor(list)
    }
    let cases: [(String, Tensor?, String)] = [
      ("a#index", nil, "'a#index' is missing"), ("a", nil, "'a'"),
      ("a#index", try positions { $0[0] = -1 }, "outside"),
      ("a#index", try positions { $0[count - 1] = 77 }, "outside"),
      ("a#index", try positions { $0[1] = $0[0] }, "ascending"),
      ("a#index", try positions { $0.reverse() }, "ascending"),
      ("a#index", try positions { $0.removeLast() }, "positions"),
      ("a#index", try sparse["a#index"].to(.float32), "positions"),
      ("a#index", try sparse["a#index"].reshaped(to: [count, 1]), "positions"),
      ("a", try sparse["a"].to(.float64), "values"),
      ("a", try sparse["a"].unsqueezed(0), "values"),
      ("a", try .full(.nan, shape: [count]), "not finite"),
      ("a", try .zeros([count + 1]), "positions"),
    ]
    for (name, tensor, word) in cases {
      let bad = try Self.replacing(name, tensor, in: sparse)
      expectRefusal(naming: "site-4", "'a'", word) { _ = try Self.receive(bad) }
    }
    expectRefusal(naming: "site-4", "'a'", "without it") {
      _ = try Densify().apply(to: sparse, in: Sample.context(.server))
    }
    var twice = sparse
    twice.metadata.processing[0].tensors.append("a")
    expectRefusal(naming: "site-4", "'a'", "twice") { _ = try Self.receive(twice) }
    var weights = sparse
    weights.kind = .weights
    expectRefusal(naming: "site-4", "no difference") { _ = try Self.receive(weights) }
  }

  @Test func codesOfSparseTensorsAreUndoneInTheirOrder() throws {
    let coded = try Quantize(.float16).apply(to: Self.sparse(), in: Sample.context())
    #expect(coded.metadata.processing.map(\.algorithm) == ["sparse", "quantised: float16"])
    #expect(try Self.receive(coded).tensors.names == ["a", "b"])
    expectRefusal(naming: "site-4", "beneath") {
      let context = Sample.context(.server, reference: .weights(try Sample.reference()))
      _ = try Densify().apply(to: coded, in: context)
    }
  }

  @Test(arguments: Quantize.Format.allCases.map(Optional.some) + [nil])
  func anythingElseIsReceivedOrRefusedButNeverTraps(format: Quantize.Format?) throws {
    var numbers = KeyedRandomNumbers(key: RandomKey(seed: 5)[format?.rawValue ?? "sparse"])
    let original = try format.map(Self.quantised) ?? Self.sparse()
    let parameters: [Double] = [
      0, 1, 2, 3, 4, 16, 17, 64, -1, 0.5, 1e19, -1e300, .nan, .infinity, .greatestFiniteMagnitude,
    ]
    let dtypes = DType.allCases
    let sizes = [0, 1, 2, 5, 13, 16, 39, 77, 1000]
    var refused = 0
    for _ in 0..<400 {
      var exchange = original
      for _ in 0..<Int.random(in: 1...3, using: &numbers) {
        let names = exchange.tensors.names
        let name = names.randomElement(using: &numbers) ?? "a"
        switch Int.random(in: 0..<7, using: &numbers) {
        case 0: exchange = try Self.replacing(name, nil, in: exchange)
        case 1:
          let dtype = dtypes.randomElement(using: &numbers) ?? .uint8
          exchange = try Self.replacing(name, exchange.tensors[name]?.to(dtype), in: exchange)
        case 2:
          let shape = (0..<Int.random(in: 0...3, using: &numbers)).map { _ in
            sizes.randomElement(using: &numbers) ?? 1
          }
          let dtype = exchange.tensors[name]?.dtype ?? .float32
          exchange = try Self.replacing(name, .zeros(shape, dtype: dtype), in: exchange)
        case 3:
          let parameter = ["dtype", "block"].randomElement(using: &numbers) ?? "dtype"
          exchange.metadata.processing[0].parameters[parameter] =
            parameters.randomElement(using: &numbers)
        case 4:
          exchange.metadata.processing[0].tensors.append(names.randomElement(using: &numbers) ?? "")
        case 5:
          exchange.metadata.processing.append(
            exchange.metadata.processing.randomElement(using: &numbers)
              ?? original.metadata.processing[0]
          )
        default:
          let fill = [Int.max, Int.min, -1, 1 << 31, 3].randomElement(using: &numbers) ?? 3
          guard let tensor = exchange.tensors[name], tensor.dtype.isInteger else { continue }
          let filled = try Tensor.full(fill, shape: tensor.shape, dtype: .int64).to(tensor.dtype)
          exchange = try Self.replacing(name, filled, in: exchange)
        }
      }
      do {
        _ = try Self.receive(exchange)
      } catch let error as FederationError {
        refused += 1
        #expect(error.message.contains("site-4"), "\(error.message)")
      }
    }
    #expect(refused > 200)
  }
}
