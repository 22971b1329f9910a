import TesseraCore
import TesseraTesting
import Testing

@Suite struct ExactSumTests {
  private func addends(_ count: Int, shape: [Int], dtype: DType = .float32) throws -> [Tensor] {
    let generator = try Generator(seed: 11)
    return try (0..<count).map { _ in try Tensor.normal(shape, dtype: dtype, using: generator) }
  }

  @Test func theOrderOfTheAddendsDoesNotMatter() throws {
    // More than one of the chunks that are checked and added at a time, and not a multiple of any vector's width.
    let tensors = try addends(9, shape: [37, 331])
    let orders = [Array(0..<9), Array((0..<9).reversed()), [4, 0, 8, 2, 6, 1, 7, 3, 5]]
    let means = try orders.map { order in
      var sum = ExactSum(shape: [37, 331], bound: 16, totalWeight: 100)
      for index in order { try sum.add(tensors[index], weight: Double(index + 1)) }
      return try sum.quotient(dividingBy: 45, dtype: .float32)
    }
    for mean in means { #expect(try mean.isIdentical(to: means[0])) }
    var expected = try Tensor.zeros([37, 331], dtype: .float64)
    for (index, tensor) in tensors.enumerated() {
      expected = try expected + tensor.to(.float64) * Double(index + 1) / 45
    }
    expectClose(means[0], expected, absolute: 1e-6, relative: 1e-6)
  }

  @Test(arguments: [DType.float64, .float16, .bfloat16, .int64, .uint8])
  func otherDTypesAreSummedToo(_ dtype: DType) throws {
    var sum = ExactSum(shape: [3], bound: 100, totalWeight: 10)
    try sum.add(Tensor([1.0, 2, 3]).to(dtype), weight: 1)
    try sum.add(Tensor([3.0, 4, 7]).to(dtype), weight: 3)
    let mean = try sum.quotient(dividingBy: 4, dtype: dtype)
    #expect(mean.dtype == dtype)
    // Whole numbers round to the nearest; 2.5, 3.5 and 6 are halves, which go to the even one.
    expectClose(mean, dtype.isInteger ? [2, 4, 6] : [2.5, 3.5, 6])
  }

  @Test func anAddendIsTakenBackExactly() throws {
    let tensors = try addends(2, shape: [500])
    var sum = ExactSum(shape: [500], bound: 16, totalWeight: 10)
    try sum.add(tensors[0], weight: 1.7)
    let before = try sum.quotient(dividingBy: 1, dtype: .float64)
    try sum.add(tensors[1], weight: 3.3)
    try sum.subtract(tensors[1], weight: 3.3)
    #expect(try sum.quotient(dividingBy: 1, dtype: .float64).isIdentical(to: before))
  }

  @Test(arguments: [Double.nan, .infinity, -.infinity, 17, -17], [0, 4095, 4096, 9999])
  func whatIsNotFiniteOrTooLargeLeavesNoTrace(_ value: Double, _ place: Int) throws {
    let good = try addends(1, shape: [10_000])[0].clamped(from: -16, to: 16)
    let isPlace = try Tensor.range(0..<10_000).equals(Double(place))
    for dtype in [DType.float32, .float64] {
      var sum = ExactSum(shape: [10_000], bound: 16, totalWeight: 10)
      try sum.add(good.to(dtype), weight: 2)
      let before = try sum.quotient(dividingBy: 2, dtype: .float64)
      let bad = try good.to(dtype).filled(value, where: isPlace)
      #expect(throwing(.numerical) { try sum.add(bad, weight: 1) })
      #expect(try sum.quotient(dividingBy: 2, dtype: .float64).isIdentical(to: before))
    }
  }

  @Test func theBoundItselfFits() throws {
    var sum = ExactSum(shape: [2], bound: 16, totalWeight: 1000)
    for _ in 0..<1000 { try sum.add(Tensor([16.0, -16]), weight: 1) }
    expectClose(try sum.quotient(dividingBy: 1000, dtype: .float64), [16, -16], relative: 0)
  }

  @Test func extremeBoundsLoseNoMeaning() throws {
    for magnitude in [1e-300, 1e-30, 1e30, 1e150] {
      var sum = ExactSum(shape: [1], bound: magnitude * 2, totalWeight: 2)
      try sum.add(Tensor([magnitude]), weight: 1)
      try sum.add(Tensor([-magnitude / 2]), weight: 1)
      expectClose(
        try sum.quotient(dividingBy: 2, dtype: .float64),
        [magnitude / 4],
        absolute: sum.resolution,
        relative: 1e-15
      )
    }
  }

  @Test func aBoundBeyondTheDTypeStillRefusesInfinity() throws {
    for bound in [1e39, 0x1p400] {
      var sum = ExactSum(shape: [1], bound: bound, totalWeight: 1)
      #expect(throwing(.numerical) { try sum.add(Tensor([Float.infinity]), weight: 1) })
      #expect(throwing(.numerical) { try sum.add(Tensor([Float.nan]), weight: 1) })
      try sum.add(Tensor([Float.greatestFiniteMagnitude]), weight: 1)
    }
  }

  @Test func moreWeightThanTheSumWasMadeForIsRefused() throws {
    var sum = ExactSum(shape: [1], bound: 1, totalWeight: 1)
    // Ten tenths are a little more or less than 1.
    for _ in 0..<10 { try sum.add(Tensor([1.0]), weight: 0.1) }
    #expect(throwing(.numerical) { try sum.add(Tensor([1.0]), weight: 0.1) })
    #expect(throwing(.numerical) { try sum.add(Tensor([1.0]), weight: .nan) })
    expectClose(try sum.quotient(dividingBy: 1, dtype: .float64), [1], relative: 1e-15)
    for _ in 0..<10 { try sum.subtract(Tensor([1.0]), weight: 0.1) }
    expectClose(try sum.quotient(dividingBy: 1, dtype: .float64), [0], absolute: 0)
    #expect(throwing(.numerical) { try sum.subtract(Tensor([1.0]), weight: 0.1) })
    try sum.add(Tensor([-1.0]), weight: 1)
    expectClose(try sum.quotient(dividingBy: 1, dtype: .float64), [-1])
  }

  @Test func otherShapesAreRefusedAndEmptyOnesAreNot() throws {
    var sum = ExactSum(shape: [2, 3], bound: 1, totalWeight: 1)
    let error = failure { try sum.add(Tensor.zeros([3, 2]), weight: 1) }
    #expect(error?.code == .shapeMismatch)
    #expect(error?.message == "shape [3, 2] where [2, 3] was expected")
    var empty = ExactSum(shape: [0, 3], bound: 1, totalWeight: 1)
    try empty.add(Tensor.zeros([0, 3]), weight: 1)
    #expect(try empty.quotient(dividingBy: 1, dtype: .float32).shape == [0, 3])
  }
}
