import TesseraCore
import TesseraNN
import TesseraTesting
import Testing

@Suite struct DropoutTests {
  @Test func droppingKeepsTheMean() throws {
    let dropout = try Dropout(0.3, using: Generator(seed: 7))
    let y: [Float] = try dropout(Tensor.ones([100_000])).array()
    let mean = y.reduce(0, +) / Float(y.count)
    #expect(Swift.abs(mean - 1) < 0.01)
    #expect(y.allSatisfy { $0 == 0 || Swift.abs($0 - 1 / 0.7) < 1e-6 })
    let zeros = y.filter { $0 == 0 }.count
    #expect((29_000...31_000).contains(zeros))
  }

  @Test func oneSeedGivesOneMask() throws {
    let x = try Tensor.ones([64])
    let first = try Dropout(0.5, using: Generator(seed: 7))
    let second = try Dropout(0.5, using: Generator(seed: 7))
    let mask = try first(x)
    #expect(try mask.isIdentical(to: second(x)))
    #expect(try !mask.isIdentical(to: first(x)))
  }

  @Test func allLayersThatDropDrawFromOneGenerator() throws {
    let model = Sequential(
      try Dropout(0.5, using: Generator(seed: 1)),
      try StochasticDepth(0.5, using: Generator(seed: 2))
    )
    let x = try Tensor.ones([64, 8])
    model.draw(from: try Generator(seed: 7))
    let y = try model(x)
    #expect(try !y.isIdentical(to: model(x)))
    model.draw(from: try Generator(seed: 7))
    #expect(try y.isIdentical(to: model(x)))
  }

  @Test func evaluationDropsNothing() throws {
    let dropout = try Dropout(0.5, using: Generator(seed: 7))
    dropout.setMode(.evaluation)
    let x = try Tensor.ones([64])
    #expect(try dropout(x).isIdentical(to: x))
  }

  @Test func gradientsPassWhereNothingWasDropped() throws {
    let x = try Tensor.ones([64]).asVariable()
    let y = try Dropout(0.5, using: Generator(seed: 7))(x)
    expectClose(try y.sum().gradients(for: [x])[0], try y.detached())
  }

  @Test func allOrNothingCanBeDropped() throws {
    let x = try Tensor.ones([4])
    expectClose(try x.droppedOut(probability: 1, using: Generator(seed: 1)), [0, 0, 0, 0])
    expectClose(try x.droppedOut(probability: 0, using: Generator(seed: 1)), [1, 1, 1, 1])
    #expect(throws: TensorError.self) { try Dropout(1.5, using: Generator(seed: 1)) }
    #expect(throws: TensorError.self) {
      try x.droppedOut(probability: -0.1, using: Generator(seed: 1))
    }
  }
}
