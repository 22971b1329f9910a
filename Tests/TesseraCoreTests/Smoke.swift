import TesseraCore
import TesseraTesting
import Testing

@Test func additionWorks() throws {
  expectClose(try Tensor([1.0, 2]) + Tensor([3.0, 4]), [4, 6])
}
