import TesseraCore
import TesseraFederation
import TesseraTesting
import Testing

@Suite struct QuantizeTests {
  static let formats = Quantize.Format.allCases
  static let dtypes: [DType] = [.float16, .bfloat16, .float32, .float64]

  static func roundTrip(
    _ exchange: Exchange,
    _ filter: Quantize,
    seed: UInt64 = 1
  ) throws -> Exchange {
    let sent = try filter.apply(to: exchange, in: Sample.context(seed: seed))
    return try Dequantize().apply(to: sent, in: Sample.context(.server))
  }

  @Test(arguments: [16, 64, 4096])
  func int8AgreesWithNumPy(block: Int) throws {
    let x = try Sample.golden("codes/x")
    let sent = try Quantize(.int8, blockSize: block)
      .apply(to: .weights(Sample.state(("x", x))), in: Sample.context())
    let golden = "int8-\(block)"
    #expect(try sent["x"].isIdentical(to: Sample.golden("\(golden)/codes")))
    #expect(try sent["x#scale"].isIdentical(to: Sample.golden("\(golden)/scales")))
    let back = try Dequantize().apply(to: sent, in: Sample.context(.server))
    #expect(try back["x"].isIdentical(to: Sample.golden("\(golden)/back")))
    #expect(back.metadata.processing.isEmpty)
  }

  @Test(arguments: [Quantize.Format.nf4, .fp4], [16, 64])
  func fourBitsAgreeWithNumPy(format: Quantize.Format, block: Int) throws {
    let x = try Sample.golden("codes/x")
    let sent = try Quantize(format, blockSize: block)
      .apply(to: .weights(Sample.state(("x", x))), in: Sample.context())
    let golden = "\(format.rawValue)-\(block)"
    // Zero has two codes in fp4.
    if format == .nf4 { #expect(try sent["x"].isIdentical(to: Sample.golden("\(golden)/codes"))) }
    #expect(sent.tensors.names == ["x", "x#scale", "x#shape"])
    #expect(try sent["x#scale"].isIdentical(to: Sample.golden("\(golden)/scales")))
    let back = try Dequantize().apply(to: sent, in: Sample.context(.server))
    // The published levels and those by the formula differ by 6e-8 of the largest magnitude.
    let scale = try abs(x).maximum().item()
    try expectClose(
      back["x"] / scale,
      Sample.golden("\(golden)/back") / scale,
      absolute: 1e-7,
      relative: 1e-6
    )
  }

  @Test(arguments: formats, dtypes)
  func dtypesShapesAndOrderAreRestored(format: Quantize.Format, dtype: DType) throws {
    let exchange = Exchange.weights(
      try Sample.state(
        ("matrix", Sample.normal([37, 5, 3], dtype: dtype)),
        ("steps", Tensor([3, 4])),
        ("empty", Tensor.zeros([0, 4], dtype: dtype)),
        ("scalar", Sample.normal([], dtype: dtype)),
        ("vector", Sample.normal([4099], dtype: dtype)),
        ("odd", Sample.normal([513], dtype: dtype)),
        ("mask", Tensor([true, false])),
        ("transposed", Sample.normal([40, 30], dtype: dtype).transposed()),
        ("zeros", Tensor.zeros([300], dtype: dtype))
      )
    )
    for rounding in Quantize.Rounding.allCases {
      let filter = try Quantize(format, rounding: rounding)
      let sent = try filter.apply(to: exchange, in: Sample.context())
      #expect(sent.byteCount <= exchange.byteCount)
      let saved = sent.metadata.processing.reduce(0) { $0 + $1.bytesBefore - $1.bytesAfter }
      #expect(sent.byteCount + saved == exchange.byteCount)
      let back = try Dequantize().apply(to: sent, in: Sample.context(.server))
      #expect(back.tensors.names == exchange.tensors.names)
      for (name, tensor) in exchange.tensors.entries {
        #expect(try back[name].shape == tensor.shape, "\(name)")
        #expect(try back[name].dtype == tensor.dtype, "\(name)")
      }
      for name in ["steps", "empty", "mask", "zeros"] {
        #expect(try back[name].isIdentical(to: exchange[name]), "\(name)")
      }
      // Half the widest gap between levels, of the largest of these normal numbers; twice that if not to the nearest.
      let bound: Double =
        switch format {
        case .float16: 0.002
        case .bfloat16: 0.016
        case .int8: 5.0 / 254
        case .nf4: 5 * 0.152
        case .fp4: 5.0 / 6
        }
      for name in ["matrix", "vector", "odd", "transposed"] {
        let error = try abs(back[name].to(.float64) - exchange[name].to(.float64)).maximum().item()
        #expect(error <= bound * (rounding == .nearest ? 1 : 2) + 0.016, "\(name), \(rounding)")
      }
    }
  }

  @Test func theErrorOfInt8IsWithinItsBound() throws {
    let block = 64
    for dtype in [DType.float32, .float64] {
      let x = try Sample.normal([50, block], dtype: dtype).power(3)
      for rounding in Quantize.Rounding.allCases {
        let filter = try Quantize(.int8, blockSize: block, rounding: rounding)
        let back = try Self.roundTrip(.weights(Sample.state(("x", x))), filter)
        let error = try abs(back["x"] - x).maximum(along: 1)
        let bound =
          try abs(x).maximum(along: 1) / (rounding == .nearest ? 254 : 127) * (1 + 1e-5)
        #expect(try error.isAtMost(bound).all().item() == 1)
      }
    }
  }

  @Test func theErrorOfFourBitsIsWithinHalfTheirWidestGap() throws {
    let x = try Sample.normal([200, 64])
    for (format, gap) in [(Quantize.Format.nf4, 0.3038071990013123), (.fp4, 1.0 / 3)] {
      let back = try Self.roundTrip(.weights(Sample.state(("x", x))), Quantize(format))
      let error = try abs(back["x"] - x).maximum(along: 1)
      let bound = try abs(x).maximum(along: 1) * (gap / 2 * (1 + 1e-5))
      #expect(try error.isAtMost(bound).all().item() == 1)
      // The levels are used: the bound is reached within a factor of 2 somewhere.
      #expect(try error.isGreater(than: bound / 2).any().item() == 1)
    }
  }

  @Test(arguments: formats)
  func stochasticRoundingIsRightOnAverage(format: Quantize.Format) throws {
    // The same number many times beside the one that sets the scale.
    let block = 64
    let value = 0.3141
    var row = [Double](repeating: value, count: block)
    row[0] = 1
    let x = try Tensor(row).to(.float32).expanded(to: [2000, block]).copied()
    let exchange = Exchange.weights(try Sample.state(("x", x)))
    let filter = try Quantize(
      format,
      blockSize: format.rawValue.hasSuffix("16") ? nil : block,
      rounding: .stochastic
    )
    let back = try Self.roundTrip(exchange, filter)["x"].slices(in: 1..<block, along: 1)
    let levels = try back.to(.float64)
    let (low, high) = (try levels.minimum().item(), try levels.maximum().item())
    #expect(low < value && value < high)
    // 126,000 draws: 5 standard errors of the mean of two levels.
    let error = 5 * (high - low) / 2 / 126_000.0.squareRoot()
    #expect(try abs(levels.mean().item() - value) < error)
    #expect(try levels.equals(low).or(levels.equals(high)).all().item() == 1)
    let again = try Self.roundTrip(exchange, filter)["x"].slices(in: 1..<block, along: 1)
    #expect(try again.isIdentical(to: back))
    let other = try Self.roundTrip(exchange, filter, seed: 2)["x"].slices(in: 1..<block, along: 1)
    #expect(try !other.isIdentical(to: back))
  }

  @Test(arguments: [Quantize.Format.float16, .bfloat16])
  func numbersThatHalfPrecisionHasStayTheyAre(format: Quantize.Format) throws {
    let values: [Float] = [0, -0.0, 1, -1, 0.5, -240, 256, 1.5, 0x1p-14, -0x1p-24]
    for rounding in Quantize.Rounding.allCases {
      let x = Exchange.weights(try Sample.state(("x", Tensor(values))))
      let back = try Self.roundTrip(x, Quantize(format, rounding: rounding))
      #expect(try back["x"].isIdentical(to: x["x"]))
    }
  }

  @Test(arguments: formats, [Double.nan, .infinity, -.infinity])
  func numbersThatAreNotFiniteAreRefused(format: Quantize.Format, value: Double) throws {
    for dtype in Self.dtypes where dtype.rawValue != format.rawValue {
      // What would not become smaller travels as it is.
      guard dtype.byteCount > 2 || !format.rawValue.hasSuffix("16") else { continue }
      let tensor = try concatenate([
        Tensor.zeros([9000], dtype: dtype), Tensor.full(value, shape: [1], dtype: dtype),
      ])
      expectRefusal(naming: "site-4", "'x'", "not finite") {
        _ = try Quantize(format)
          .apply(to: .weights(Sample.state(("x", tensor))), in: Sample.context())
      }
    }
  }

  @Test func magnitudesBeyondHalfPrecisionAreRefused() throws {
    for rounding in Quantize.Rounding.allCases {
      let large = Exchange.weights(try Sample.state(("x", Tensor([65_504, 1e5] as [Float]))))
      expectRefusal(naming: "site-4", "'x'", "float16") {
        _ = try Quantize(.float16, rounding: rounding).apply(to: large, in: Sample.context())
      }
      let back = try Self.roundTrip(large, Quantize(.bfloat16, rounding: rounding))
      expectClose(try back["x"], [65_504, 1e5], relative: 0.008)
    }
  }

  @Test func aModelIsQuantisedOnce() throws {
    let once = try Quantize(.float16).apply(to: .weights(Sample.weights()), in: Sample.context())
    expectRefusal(naming: "quantised: float16") {
      _ = try Quantize(.int8).apply(to: once, in: Sample.context())
    }
    expectRefusal(naming: "gaussian-noise", "quantised: float16") {
      _ = try GaussianNoise().apply(to: once, in: Sample.context())
    }
    let state = try Sample.state(("x", Tensor.zeros([500])), ("x#scale", Tensor([1])))
    expectRefusal(naming: "quantize", "x#scale") {
      _ = try Quantize().apply(to: .weights(state), in: Sample.context())
    }
  }

  @Test func argumentsOutOfRangeAreNamed() {
    expectRefusal(.invalidConfiguration, naming: "quantize", "blockSize", "15") {
      _ = try Quantize(.int8, blockSize: 15)
    }
    expectRefusal(.invalidConfiguration, naming: "blockSize", "17", "even") {
      _ = try Quantize(.nf4, blockSize: 17)
    }
    expectRefusal(.invalidConfiguration, naming: "blockSize", "float16") {
      _ = try Quantize(.float16, blockSize: 64)
    }
    expectRefusal(.invalidConfiguration, naming: "blockSize") {
      _ = try Quantize(.int8, blockSize: .max)
    }
  }
}
