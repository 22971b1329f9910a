import Foundation
import TesseraCore
import TesseraTesting
import Testing

@Suite struct ShapeTests {
  private func counting(_ shape: [Int]) throws -> Tensor {
    try Tensor.range(0..<shape.reduce(1, *)).reshaped(to: shape)
  }

  @Test func shapesChangeAsNamed() throws {
    let x = try counting([2, 3, 4])
    #expect(try x.reshaped(to: [6, -1]).shape == [6, 4])
    #expect(try x.flattened().shape == [24])
    #expect(try x.flattened(from: 1).shape == [2, 12])
    #expect(try x.permuted(to: [2, 0, 1]).shape == [4, 2, 3])
    #expect(try x.transposed().shape == [2, 4, 3])
    #expect(try x.transposed(0, 1).shape == [3, 2, 4])
    #expect(try x.unsqueezed(1).shape == [2, 1, 3, 4])
    #expect(try x.unsqueezed(1).squeezed(1).shape == [2, 3, 4])
    #expect(try x.squeezed(0).shape == [2, 3, 4])
    #expect(try counting([2, 1]).expanded(to: [2, 3]).array(of: Int.self) == [0, 0, 0, 1, 1, 1])
    #expect(try counting([2]).repeated(2, 2).array(of: Int.self) == [0, 1, 0, 1, 0, 1, 0, 1])
    #expect(throwing(.shapeMismatch) { _ = try x.reshaped(to: [5, 5]) })
  }

  @Test func piecesComeApartAndTogether() throws {
    let x = try counting([2, 5])
    let pieces = try x.split(into: [2, 3], along: 1)
    #expect(pieces.map(\.shape) == [[2, 2], [2, 3]])
    #expect(try concatenate(pieces, along: 1).isIdentical(to: x))
    #expect(try stack([x, x], along: 2).shape == [2, 5, 2])
    #expect(throwing(.shapeMismatch) { _ = try concatenate([x, counting([3, 4])], along: 1) })
    #expect(throws: TensorError.self) { _ = try stack([]) }
    #expect(throws: TensorError.self) { _ = try x.split(into: [2, 2], along: 1) }
    #expect(try x.chunked(into: 2, along: 1).map(\.shape) == [[2, 3], [2, 2]])
    #expect(try concatenate(x.chunked(into: 4, along: -1), along: 1).isIdentical(to: x))
    #expect(throws: TensorError.self) { _ = try x.chunked(into: 0) }
    let columns = try x.unbind(along: 1)
    #expect(columns.map(\.shape) == [[2], [2], [2], [2], [2]])
    #expect(try stack(columns, along: 1).isIdentical(to: x))
    #expect(throwing(.indexOutOfRange) { _ = try x.unbind(along: 2) })
  }

  @Test func slicesAreTakenAndPositionsOutsideAreNamed() throws {
    let x = try counting([3, 4])
    #expect(try x.slice(at: 1).array(of: Int.self) == [4, 5, 6, 7])
    #expect(try x.slice(at: -1, along: 1).array(of: Int.self) == [3, 7, 11])
    #expect(try x.slices(in: 1..<3, along: 1).array(of: Int.self) == [1, 2, 5, 6, 9, 10])
    #expect(try x.slices(in: 0..<4, along: -1, by: 3).array(of: Int.self) == [0, 3, 4, 7, 8, 11])
    #expect(try x.slices(in: 2..<2).shape == [0, 4])
    let error = failure { _ = try x.slice(at: 3) }
    #expect(error?.code == .indexOutOfRange)
    #expect(error?.message == "position 3 is outside dimension 0 of shape [3, 4]")
    let range = failure { _ = try x.slices(in: 2..<5) }
    #expect(range?.code == .indexOutOfRange)
    #expect(range?.message == "positions 2..<5 are outside dimension 0 of shape [3, 4]")
    #expect(throwing(.indexOutOfRange) { _ = try x.slice(at: 0, along: 2) })
    #expect(throws: TensorError.self) { _ = try x.slices(in: 0..<2, by: 0) }
  }

  @Test func aRangeThatBeginsBelowZeroCountsFromTheEnd() throws {
    let x = try counting([5])
    func slices(_ range: Range<Int>) throws -> [Int] { try x.slices(in: range).array() }
    #expect(try slices(-2..<0) == [3, 4])
    #expect(try slices(-5..<(-3)) == [0, 1])
    #expect(try slices(-5..<0) == [0, 1, 2, 3, 4])
    #expect(try slices(-1..<(-1)) == [])
    #expect(try slices(5..<5) == [])
    for range in [-3..<1, -6..<0, 6..<6, 0..<Int.max, Int.min..<Int.max, Int.min..<Int.min] {
      #expect(throwing(.indexOutOfRange) { _ = try x.slices(in: range) }, "\(range)")
    }
  }

  @Test func subscriptsTakePositionsAndRanges() throws {
    let x = try counting([2, 3, 4])
    #expect(try x[1, 2, 3].itemAsInteger() == 23)
    #expect(try x[-1, -1, -1].itemAsInteger() == 23)
    #expect(try x[1].isIdentical(to: x.slice(at: 1)))
    #expect(try x[0, 1..<3].array(of: Int.self) == [4, 5, 6, 7, 8, 9, 10, 11])
    #expect(try x[0, 0, ...1].array(of: Int.self) == [0, 1])
    #expect(try x[0, 0, ...(-1)].array(of: Int.self) == [0, 1, 2, 3])
    #expect(try x[0, 0, ...(-2)].array(of: Int.self) == [0, 1, 2])
    for index: any TensorIndex in [0, 0..<1, 0...0, 0..., ..<1, ...0] {
      for dimension in [-4, 3, .max] {
        #expect(throwing(.indexOutOfRange) { _ = try index.part(of: x, along: dimension) })
      }
      #expect(throws: Never.self) { _ = try index.part(of: x, along: -1) }
    }
    #expect(try x[0..., 0, 1...2].array(of: Int.self) == [1, 2, 13, 14])
    #expect(try x[1, ..<1, (-2)...].array(of: Int.self) == [14, 15])
    #expect(try x[0, 0, ..<(-1)].array(of: Int.self) == [0, 1, 2])
    #expect(try x[0, 0, -3..<(-1)].array(of: Int.self) == [1, 2])
    #expect(try x[0..<1, 0...].shape == [1, 3, 4])
    #expect(try x[2..., 3...].shape == [0, 0, 4])
    for outside: [any TensorIndex] in [
      [2], [0, 3], [0, 0, 0, 0], [0..<3], [3...], [..<3], [0...2], [0...Int.max], [..<(-3)],
      [(-3)...], [..<Int.min], [Int.max...],
    ] {
      let error = failure {
        switch outside.count {
        case 1: _ = try x[outside[0]]
        case 2: _ = try x[outside[0], outside[1]]
        default: _ = try x[0, 0, 0, 0]
        }
      }
      #expect(error?.code == .indexOutOfRange, "\(outside)")
    }
  }

  @Test func dimensionsComeAsListsToo() throws {
    let x = try counting([2, 3, 4]).to(.float64)
    let last = Array(1..<x.rank)
    #expect(try x.sum(along: last).isIdentical(to: x.sum(along: 1, 2)))
    #expect(try x.mean(along: last).isIdentical(to: x.mean(along: 1, 2)))
    #expect(try x.maximum(along: last).array(of: Double.self) == [11, 23])
    #expect(try x.minimum(along: last).array(of: Double.self) == [0, 12])
    #expect(try x.logSumExp(along: last).isIdentical(to: x.logSumExp(along: 1, 2)))
    #expect(try x.norm(along: last).isIdentical(to: x.norm(along: 1, 2)))
    #expect(try x.any(along: last).array(of: Bool.self) == [true, true])
    #expect(try x.all(along: last).array(of: Bool.self) == [false, true])
    #expect(try x.variance(along: last).isIdentical(to: x.variance(along: 1, 2)))
    #expect(try x.standardDeviation(along: last).shape == [2])
    #expect(try x.sum(along: last, keepingDimensions: true).shape == [2, 1, 1])
    #expect(try x.sum(along: []).shape == [])
    #expect(try x.flipped(along: last).isIdentical(to: x.flipped(along: 1, 2)))
    #expect(try x.repeated([1, 2, 1]).shape == [2, 6, 4])
    #expect(try einsum("ijk,ijk->i", [x, x]).isIdentical(to: einsum("ijk,ijk->i", x, x)))
  }

  @Test func deviationsAndNormsAreWhatTheirFormulasSay() throws {
    let x = try Tensor([3.0, -4, 0, 1, 1, 1], shape: [2, 3])
    expectClose(try x.norm(order: 1), [10])
    expectClose(try x.norm(order: 1, along: 1), [7, 3])
    expectClose(try x.norm(order: 3, along: 1), [cbrt(91), cbrt(3)])
    expectClose(try x.norm(order: .infinity, along: [1], keepingDimensions: true), [4, 1])
    expectClose(try x.norm(along: 1), [5, 3.0.squareRoot()])
    expectClose(try x.standardDeviation(along: 1), [(37.0 / 3).squareRoot(), 0])
    expectClose(try x.standardDeviation(along: 1, correction: 0), [(74.0 / 9).squareRoot(), 0])
    expectClose(try x.squared().standardDeviation().squared(), try x.squared().variance())
  }

  @Test func elementsArePickedByIndices() throws {
    let x = try counting([3, 4])
    #expect(try x.gathered(Tensor([2, 0])).array(of: Int.self) == [8, 9, 10, 11, 0, 1, 2, 3])
    #expect(try x.elements(at: [Tensor([0, 2]), Tensor([1, 3])]).array(of: Int.self) == [1, 11])
    #expect(try x.elements(at: [nil, Tensor([1])]).array(of: Int.self) == [1, 5, 9])
    #expect(try x.elements(where: x.isGreater(than: 9)).array(of: Int.self) == [10, 11])
    #expect(try x.filled(-1, where: x.isLess(than: 10)).maximum().itemAsInteger() == 11)
    let changed = try x.replacing(at: [Tensor([1])], with: Tensor(0))
    #expect(try changed.slice(at: 1).array(of: Int.self) == [0, 0, 0, 0])
    let doubled = try x.replacing(at: [Tensor([1, 1])], with: Tensor(1), adding: true)
    #expect(try doubled.slice(at: 1).array(of: Int.self) == [6, 7, 8, 9])
    #expect(try x.positionsOfNonzero().shape == [11, 2])
    #expect(throwing(.indexOutOfRange) { _ = try x.gathered(Tensor([3])) })
  }

  @Test func classesBecomeOneHot() throws {
    let hot = try Tensor([2, 0]).oneHot(classes: 3)
    #expect(try hot.array(of: Int.self) == [0, 0, 1, 1, 0, 0])
    for classes in [[3], [-1]] {
      let error = failure { _ = try Tensor(classes).oneHot(classes: 3) }
      #expect(error?.code == .indexOutOfRange)
      #expect(error?.message == "a class is outside 0..<3")
    }
    let narrow = try Tensor([2, 0] as [UInt8]).oneHot(classes: 3)
    #expect(try narrow.isIdentical(to: hot))
    let floats = failure { _ = try Tensor([2.0, 0]).oneHot(classes: 3) }
    #expect(floats?.code == .shapeMismatch)
    #expect(floats?.message == "classes are whole numbers, not float64")
    #expect(throwing(.invalidArgument) { _ = try Tensor([2, 0]).oneHot(classes: -1) })
  }

  @Test func reductionsTakeAllDimensionsOrSome() throws {
    let x = try counting([2, 3, 4]).to(.float64)
    #expect(try x.sum().shape == [])
    #expect(try x.sum(along: 0, 2).shape == [3])
    #expect(try x.mean(along: -1, keepingDimensions: true).shape == [2, 3, 1])
    #expect(try x.logSumExp().shape == [])
    #expect(try x.any().item() == 1)
    #expect(try x.all().item() == 0)
    #expect(try x.any(along: 0).shape == [3, 4])
    #expect(try x.variance(correction: 0).item() == 47.916666666666664)
    #expect(try x.sum(along: 0, 1, 2).item() == 276)
    #expect(throwing(.indexOutOfRange) { _ = try x.sum(along: 3) })
    #expect(throws: TensorError.self) { _ = try Tensor([Float]()).maximum() }
  }

  @Test func sortingKeepsTheOrderOfEqualElements() throws {
    let x = try Tensor([2, 1, 2, 1, 2])
    #expect(try x.sorted().indices.array(of: Int.self) == [1, 3, 0, 2, 4])
    #expect(try x.sorted(descending: true).indices.array(of: Int.self) == [0, 2, 4, 1, 3])
    #expect(try x.argsort().array(of: Int.self) == [1, 3, 0, 2, 4])
    #expect(try x.argsort(along: 0, descending: true).array(of: Int.self) == [0, 2, 4, 1, 3])
    #expect(try x.top(1, largest: false).values.array(of: Int.self) == [1])
    #expect(throws: TensorError.self) { _ = try x.top(6) }
  }

  @Test func comparisonsGiveTruthValues() throws {
    let x = try Tensor([1.0, 2, 3])
    let y = try Tensor([3.0, 2, 1])
    func truths(_ tensor: Tensor) throws -> [Bool] { try tensor.array(of: Bool.self) }
    #expect(try truths(x.equals(y)) == [false, true, false])
    #expect(try truths(x.differs(from: y)) == [true, false, true])
    #expect(try truths(x.isLess(than: y)) == [true, false, false])
    #expect(try truths(x.isAtMost(y)) == [true, true, false])
    #expect(try truths(x.isGreater(than: y)) == [false, false, true])
    #expect(try truths(x.isAtLeast(y)) == [false, true, true])
    #expect(try truths(x.equals(2)) == [false, true, false])
    #expect(try truths(x.differs(from: 2)) == [true, false, true])
    #expect(try truths(x.isAtMost(2)) == [true, true, false])
    #expect(try truths(x.isAtLeast(2)) == [false, true, true])
    let low = try x.isLess(than: 3)
    let high = try x.isGreater(than: 1)
    #expect(try truths(low.and(high)) == [false, true, false])
    #expect(try truths(low.or(high)) == [true, true, true])
    #expect(try truths(low.xor(high)) == [true, false, true])
    #expect(try truths(low.not()) == [false, false, true])
    let odd = try Tensor([.nan, .infinity, 0])
    #expect(try truths(odd.isNaN()) == [true, false, false])
    #expect(try truths(odd.isInfinite()) == [false, true, false])
    #expect(try truths(odd.isFinite()) == [false, false, true])
    expectClose(try select(where: low, x, else: y), [1, 2, 1])
  }

  @Test func wholeNumbersAreComparedExactly() throws {
    // A Double would take all three for one.
    let large = 1 << 60 + 1
    let x = try Tensor([large - 1, large, large + 1])
    func truths(_ tensor: Tensor) throws -> [Bool] { try tensor.array(of: Bool.self) }
    #expect(try truths(x.equals(large)) == [false, true, false])
    #expect(try truths(x.differs(from: large)) == [true, false, true])
    #expect(try truths(x.isLess(than: large)) == [true, false, false])
    #expect(try truths(x.isAtMost(large)) == [true, true, false])
    #expect(try truths(x.isGreater(than: large)) == [false, false, true])
    #expect(try truths(x.isAtLeast(large)) == [false, true, true])
    let filled = try Tensor.full(large, shape: [2], dtype: .int64)
    #expect(try filled.array(of: Int.self) == [large, large])
    #expect(try Tensor.full(3, shape: [2]).dtype == .float32)
  }

  @Test func closeMeansTheSameForAllDTypes() throws {
    let x = try Tensor([1.0, 2, 3])
    #expect(try x.isClose(to: x + 1e-9))
    #expect(try !x.isClose(to: x + 1))
    #expect(try x.isClose(to: x.to(.float32)))
    let infinite = try Tensor([Double.infinity, -.infinity])
    #expect(try infinite.isClose(to: infinite))
    #expect(try !infinite.isClose(to: -infinite))
    #expect(try !Tensor([1.0]).isClose(to: Tensor([Double.infinity])))
    #expect(try !Tensor([Double.nan]).isClose(to: Tensor([Double.nan])))
    let three = try Tensor([3] as [UInt8])
    #expect(try three.isClose(to: Tensor([5] as [UInt8]), absolute: 2))
    #expect(try !three.isClose(to: Tensor([6] as [UInt8]), absolute: 2))
    #expect(try Tensor([true]).isClose(to: Tensor([true])))
    #expect(try !Tensor([true]).isClose(to: Tensor([false])))
    let z = try Tensor([1.0, 2], shape: [1, 2]).asComplex()
    #expect(try z.isClose(to: z + 1e-9))
    #expect(try !z.isClose(to: z.conjugate()))
    #expect(throws: TensorError.self) { _ = try x.isClose(to: Tensor([1.0, 2])) }
  }
}
