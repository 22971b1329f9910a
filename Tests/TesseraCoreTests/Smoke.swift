import TesseraCore
import Testing
import TesseraTesting

@Test func additionWorks() throws {
  expectClose(try Tensor([1.0, 2]) + Tensor([3.0, 4]), [4, 6])
}
