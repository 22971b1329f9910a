import TesseraCore
import TesseraTesting
import Testing

@Suite struct RandomTests {
  @Test func theSameSeedGivesTheSameBits() throws {
    func draw(_ seed: UInt64) throws -> [Tensor] {
      let generator = try Generator(seed: seed)
      return try [
        Tensor.uniform([100], using: generator),
        Tensor.normal([100], using: generator),
        Tensor.randomIntegers([100], in: 0..<1000, using: generator),
        Tensor.permutation(of: 100, using: generator),
        Tensor.ones([100]).droppedOut(probability: 0.5, using: generator),
        Tensor.ones([100]).sampledPositions(10, using: generator),
      ]
    }
    for (a, (b, c)) in zip(try draw(5), zip(try draw(5), try draw(6))) {
      #expect(try a.isIdentical(to: b))
      #expect(try !a.isIdentical(to: c))
    }
  }

  @Test func aSavedGeneratorGoesOnWhereItWas() throws {
    let generator = try Generator(seed: 1)
    _ = try Tensor.normal([3], using: generator)
    let state = try generator.state()
    let next = try Tensor.normal([5], using: generator)
    let other = try Generator(seed: 99)
    try other.restore(state)
    #expect(try Tensor.normal([5], using: other).isIdentical(to: next))
    #expect(throws: TensorError.self) { try other.restore(Tensor([1, 2, 3])) }
  }

  @Test func drawsHaveTheirDistributions() throws {
    let generator = try Generator(seed: 3)
    let uniform = try Tensor.uniform([20_000], in: -2..<6, dtype: .float64, using: generator)
    #expect(try uniform.minimum().item() >= -2)
    #expect(try uniform.maximum().item() < 6)
    #expect(try abs(uniform.mean().item() - 2) < 0.06)
    let normal = try Tensor.normal(
      [20_000],
      mean: 3,
      deviation: 0.5,
      dtype: .float64,
      using: generator
    )
    #expect(try abs(normal.mean().item() - 3) < 0.015)
    #expect(try abs(normal.variance().item() - 0.25) < 0.012)
    let integers = try Tensor.randomIntegers([5000], in: -1..<2, using: generator)
    #expect(try Set(integers.array(of: Int.self)) == [-1, 0, 1])
    let order: [Int] = try Tensor.permutation(of: 50, using: generator).array()
    #expect(order.sorted() == Array(0..<50))
    #expect(order != order.sorted())
  }

  @Test func dropoutKeepsTheMeanAndTheGradient() throws {
    let generator = try Generator(seed: 4)
    let x = try Tensor.ones([10_000], dtype: .float64).asVariable()
    let dropped = try x.droppedOut(probability: 0.2, using: generator)
    #expect(try Set(dropped.array(of: Double.self)) == [0, 1.25])
    #expect(try abs(dropped.mean().item() - 1) < 0.03)
    let gradient = try dropped.sum().gradients(for: [x])[0]
    #expect(try gradient.isIdentical(to: dropped.detached()))
    #expect(try x.droppedOut(probability: 0, using: generator).isIdentical(to: x))
    #expect(try x.droppedOut(probability: 1, using: generator).sum().item() == 0)
  }

  @Test func drawsThatCannotBeAreErrors() throws {
    let generator = try Generator(seed: 1)
    #expect(throws: TensorError.self) {
      _ = try Tensor.ones([2]).droppedOut(probability: 1.5, using: generator)
    }
    #expect(throws: TensorError.self) {
      _ = try Tensor.ones([2]).droppedOut(probability: .nan, using: generator)
    }
    #expect(throws: TensorError.self) {
      _ = try Tensor.randomIntegers([2], in: 3..<3, using: generator)
    }
    #expect(throws: TensorError.self) {
      _ = try Tensor.ones([2]).sampledPositions(3, using: generator)
    }
    #expect(throws: TensorError.self) { _ = try Tensor.permutation(of: -1, using: generator) }
    #expect(throws: TensorError.self) {
      _ = try Tensor.normal([2], deviation: -1, using: generator)
    }
    #expect(throws: TensorError.self) { _ = try Generator(seed: 1, on: .cuda(99)) }
  }

  @Test func keysNameStreamsThatDiffer() throws {
    let run = RandomKey(seed: 1)
    var keys: Set<RandomKey> = [run]
    for purpose in ["shuffle", "weights", "1", ""] {
      keys.insert(run[purpose])
      for number in -50..<50 { keys.insert(run[purpose][number]) }
    }
    for number in -50..<50 { keys.insert(run[number]) }
    #expect(keys.count == 1 + 4 + 400 + 100)
    #expect(run["a"]["b"] != run["b"]["a"])
    #expect(run[1][2] != run[2][1])
    #expect(RandomKey(seed: 1) == run)
    #expect(RandomKey(seed: 2) != run)
  }

  // Records and published digests depend on these numbers.
  @Test func keysNeverChange() {
    #expect(RandomKey(seed: 1).value == 10_451_216_379_200_822_465)
    #expect(RandomKey(seed: 1)["train"][3].value == 15_158_895_428_040_486_655)
  }

  // The Mersenne twister's outputs from a state that SplitMix64 filled, modulo 1000.
  @Test func streamsNeverChange() throws {
    let drawn = try Tensor.randomIntegers([5], in: 0..<1000, using: Generator(seed: 1))
    #expect(try drawn.array(of: Int.self) == [57, 74, 53, 145, 374])
  }

  @Test(arguments: 0..<64)
  func everyBitOfASeedMakesAnotherStream(_ bit: Int) throws {
    let a = try Tensor.uniform([100], using: Generator(seed: 5))
    let b = try Tensor.uniform([100], using: Generator(seed: 5 ^ (1 << UInt64(bit))))
    // Ten of a hundred independent pairs lie within 0.05 of each other, give or take three.
    #expect(try abs(a - b).isLess(than: 0.05).to(.int64).sum().itemAsInteger() <= 25)
  }

  @Test func keyedNumbersAreSpreadEvenly() {
    var numbers = KeyedRandomNumbers(key: RandomKey(seed: 1)["spread"])
    var counts = [Int](repeating: 0, count: 16)
    for _ in 0..<16_000 { counts[Int.random(in: 0..<16, using: &numbers)] += 1 }
    // Chi-squared with 15 degrees of freedom: above 37.7 once in a thousand streams.
    #expect(counts.reduce(0.0) { $0 + Double(($1 - 1000) * ($1 - 1000)) / 1000 } < 37.7)
    var again = KeyedRandomNumbers(key: RandomKey(seed: 1)["spread"])
    var other = KeyedRandomNumbers(key: RandomKey(seed: 1)["other"])
    let first = again.next()
    #expect(first != other.next())
    #expect(first != again.next())
  }
}
