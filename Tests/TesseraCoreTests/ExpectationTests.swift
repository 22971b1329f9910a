import TesseraCore
import TesseraTesting
import Testing

/// What the tests of every module rest on must itself notice what is wrong.
@Suite struct ExpectationTests {
  private func complex(_ parts: [Double]) throws -> Tensor {
    try Tensor(parts, shape: [parts.count / 2, 2]).asComplex()
  }

  private func difference(_ actual: Tensor, _ expected: Tensor) throws -> String? {
    try TesseraTesting.difference(actual, expected, absolute: 1e-6, relative: 1e-5)
  }

  @Test func imaginaryPartsCount() throws {
    let z = try complex([1, 2, 3, 4])
    #expect(try difference(z, z) == nil)
    #expect(try difference(z, complex([1, 2, 3, 5]))?.contains("at [1, 1], is 4.0") == true)
    #expect(try difference(z, complex([0, 2, 3, 4]))?.contains("at [0, 0], is 1.0") == true)
    #expect(try difference(z, z.realPart()) != nil)
    #expect(try difference(z.realPart(), z) != nil)
    #expect(try difference(z.to(.complex64), z) == nil)
    let view = try Tensor.call("aten::conj", .tensor(z)).single()
    #expect(try difference(view, complex([1, -2, 3, -4])) == nil)
  }

  @Test func shapesAndInfinitiesCount() throws {
    let x = try Tensor([1.0, .infinity, .nan] as [Double])
    #expect(try difference(x, x) == nil)
    #expect(
      try difference(x, Tensor([1.0, -.infinity, .nan] as [Double]))?.contains("at [1]") == true
    )
    #expect(try difference(x, x.unsqueezed(0)) != nil)
  }

  @Test func gradientsOfExchangedElementsAreNoticed() throws {
    let x = try Tensor.range(0..<202).to(.float64)
    withKnownIssue("the gradient is another function's") {
      gradientCheck([x]) { inputs in
        // The elements change places, and the gradients do not.
        let moved = try inputs[0].rolled(by: 101, along: 0).detached()
        return try moved + inputs[0] - inputs[0].detached()
      }
    }
  }
}
