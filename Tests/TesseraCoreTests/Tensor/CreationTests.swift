import TesseraCore
import TesseraTesting
import Testing

@Suite struct CreationTests {
  @Test(arguments: DType.allCases)
  func everyDTypeIsMadeConvertedAndReadAsBytes(_ dtype: DType) throws {
    let ones = try Tensor.ones([2, 3], dtype: dtype)
    #expect(ones.dtype == dtype)
    #expect(ones.shape == [2, 3])
    #expect(ones.rank == 2)
    #expect(ones.count == 6)
    try ones.withBytes { bytes in
      #expect(bytes.count == 6 * dtype.byteCount)
      let again = try Tensor(bytes: bytes, shape: [2, 3], dtype: dtype)
      #expect(try again.isIdentical(to: ones))
    }
    #expect(try ones.to(.float64).sum().item() == 6)
    #expect(try Tensor.zeros([4], dtype: .float64).to(dtype).dtype == dtype)
  }

  @Test func everySwiftScalarIsWrittenAndReadBack() throws {
    #expect(try Tensor([1.5, -2] as [Float]).array(of: Float.self) == [1.5, -2])
    #expect(try Tensor([1.5, -2] as [Double]).array(of: Double.self) == [1.5, -2])
    #expect(try Tensor([1.5, -2] as [Float16]).array(of: Float16.self) == [1.5, -2])
    #expect(try Tensor([Int64.min, .max]).array(of: Int64.self) == [.min, .max])
    #expect(try Tensor([Int.min, .max]).array(of: Int.self) == [.min, .max])
    #expect(try Tensor([Int32.min, .max]).array(of: Int32.self) == [.min, .max])
    #expect(try Tensor([Int16.min, .max]).array(of: Int16.self) == [.min, .max])
    #expect(try Tensor([Int8.min, .max]).array(of: Int8.self) == [.min, .max])
    #expect(try Tensor([UInt8.min, .max]).array(of: UInt8.self) == [.min, .max])
    #expect(try Tensor([true, false]).array(of: Bool.self) == [true, false])
  }

  @Test func elementsThatDoNotFillTheShapeAreRefused() {
    #expect(throwing(.shapeMismatch) { _ = try Tensor([1.0, 2, 3], shape: [2, 2]) })
    #expect(throwing(.shapeMismatch) { _ = try Tensor([Double](), shape: [-1, 0]) })
    #expect(throwing(.shapeMismatch) { _ = try Tensor([1.0], shape: [1 << 40, 1 << 40]) })
  }

  @Test func readingAsAnotherTypeIsRefused() throws {
    let counts = try Tensor([1, 2])
    #expect(throwing(.shapeMismatch) { _ = try counts.array(of: Float.self) })
  }

  @Test func emptyTensorsWork() throws {
    let empty = try Tensor([Float](), shape: [0, 3])
    #expect(empty.count == 0)
    #expect(try empty.array(of: Float.self).isEmpty)
    #expect(try empty.sum().item() == 0)
    try empty.withBytes { #expect($0.isEmpty) }
  }

  @Test func rangesAreWhatTheySay() throws {
    #expect(try Tensor.range(-1..<3).array(of: Int.self) == [-1, 0, 1, 2])
    expectClose(try Tensor.range(from: 0, to: 1, by: 0.25), [0, 0.25, 0.5, 0.75])
    expectClose(try Tensor.linearSpace(from: -1, to: 1, count: 5), [-1, -0.5, 0, 0.5, 1])
    expectClose(try Tensor.identity(2), [1, 0, 0, 1])
    expectClose(try Tensor.full(0.5, shape: [3]), [0.5, 0.5, 0.5])
    let half = try Tensor.full(0.5, shape: [2, 1], dtype: .float16)
    #expect(try Tensor.zeros(like: half).isIdentical(to: half - half))
    #expect(try Tensor.ones(like: half).isIdentical(to: half + half))
    #expect(try Tensor(7).shape == [])
    #expect(try Tensor(7).itemAsInteger() == 7)
  }

  @Test func tensorsAreValues() throws {
    var x = try Tensor([1.0, 2])
    let before = x
    try x += Tensor([10.0, 10])
    expectClose(x, [11, 12])
    expectClose(before, [1, 2])
    let copy = try before.copied()
    #expect(try copy.isIdentical(to: before))
  }

  @Test func identityIsBitForBit() throws {
    let x = try Tensor([1.0, 2])
    #expect(try x.isIdentical(to: Tensor([1.0, 2])))
    #expect(try !x.isIdentical(to: Tensor([1.0, 2.0.nextUp])))
    #expect(try !x.isIdentical(to: Tensor([1.0, 2], shape: [2, 1])))
    #expect(try !x.isIdentical(to: x.to(.float32)))
  }

  @Test func aDescriptionHoldsNoElements() throws {
    #expect(try "\(Tensor([4711.0, 1]))" == "[2] float64")
  }

  @Test func aNumberOfTheSameKindNeverWidensATensor() throws {
    let counts = try Tensor([1, 2] as [Int32])
    #expect(try (counts + 1).dtype == .int32)
    #expect(try (2 * counts).dtype == .int32)
    #expect(try (counts - 1).array(of: Int32.self) == [0, 1])
    #expect(try (10 - counts).array(of: Int32.self) == [9, 8])
    #expect(try (counts / 2).dtype == .float32)
    for dtype in [DType.float16, .bfloat16, .float32, .float64] {
      let half = try Tensor.ones([2], dtype: dtype)
      #expect(try (half * 0.5).dtype == dtype)
      #expect(try (0.5 / half).dtype == dtype)
      #expect(try (half + 1).dtype == dtype)
    }
    #expect(try (Tensor([1.0]) + Tensor([1] as [Float])).dtype == .float64)
  }

  @Test func operandsBroadcast() throws {
    let column = try Tensor([1.0, 2], shape: [2, 1])
    expectClose(try column + Tensor([10.0, 20, 30]), [11, 21, 31, 12, 22, 32])
    expectClose(try 1 / column, [1, 0.5])
    expectClose(try 1.5 - column, [0.5, -0.5])
    expectClose(try -column, [-1, -2])
    expectClose(try column.clamped(from: 1.5), [1.5, 2])
    expectClose(try column.clamped(), [1, 2])
  }

  @Test func wholeNumbersAreClampedToWholeBounds() throws {
    let x = try Tensor([-5, 0, 5])
    func clamped(_ low: Double?, _ high: Double?) throws -> [Int] {
      try x.clamped(from: low, to: high).array()
    }
    #expect(try clamped(-1, 1) == [-1, 0, 1])
    #expect(try clamped(0.5, nil) == [1, 1, 5])
    #expect(try clamped(-0.5, 0.5) == [0, 0, 0])
    #expect(try clamped(nil, -0.5) == [-5, -1, -1])
    #expect(try clamped(-.infinity, .infinity) == [-5, 0, 5])
    #expect(try clamped(-1e300, 1e300) == [-5, 0, 5])
    #expect(throwing(.invalidArgument) { _ = try clamped(.nan, nil) })
    let bytes = try Tensor([0, 200] as [UInt8])
    #expect(try bytes.clamped(from: -3, to: 300).array(of: UInt8.self) == [0, 200])
    #expect(try bytes.clamped(from: 300).array(of: UInt8.self) == [255, 255])
    #expect(try Tensor([Int16.min, 7]).clamped(from: -9e9).array(of: Int16.self) == [.min, 7])
    #expect(
      try Tensor([Int.min, .max]).clamped(to: .infinity).array(of: Int.self) == [.min, .max]
    )
    expectClose(try Tensor([-1.0, 1]).clamped(from: -.infinity, to: 0.5), [-1, 0.5])
  }

  @Test func conjugateViewsAreReadAsWhatTheyAre() throws {
    let z = try Tensor([1.0, 2, 3, 4], shape: [1, 2, 2]).asComplex()
    let adjoint = try Tensor.call("aten::adjoint", .tensor(z)).single()
    func numbers(_ tensor: Tensor) throws -> [Double] {
      try tensor.withBytes { Array($0.bindMemory(to: Double.self)) }
    }
    #expect(try numbers(adjoint) == [1, -2, 3, -4])
    let conjugate = try Tensor.call("aten::conj", .tensor(z)).single()
    #expect(try numbers(conjugate) == [1, -2, 3, -4])
    #expect(try numbers(conjugate.imaginaryPart()) == [-2, -4])
    expectClose(try conjugate.laidOut(as: .rowMajor).asRealPairs(), [1, -2, 3, -4])
  }

  @Test func channelsLastKeepsTheElements() throws {
    let image = try Tensor.range(0..<24).to(.float32).reshaped(to: [1, 2, 3, 4])
    let turned = try image.laidOut(as: .channelsLast)
    #expect(turned.isContiguous(as: .channelsLast))
    #expect(!turned.isContiguous())
    #expect(turned.strides == [24, 1, 8, 2])
    #expect(try turned.isIdentical(to: image))
    #expect(try turned.array(of: Float.self) == image.array(of: Float.self))
    let volume = try Tensor.zeros([1, 2, 2, 2, 2]).laidOut(as: .channelsLast3d)
    #expect(volume.isContiguous(as: .channelsLast3d))
    // With one channel both orders are the same memory; the strides must still say which one is meant.
    #expect(try Tensor.zeros([2, 1, 4, 4]).laidOut(as: .channelsLast).strides == [16, 1, 4, 1])
  }
}
