import CReference
import TesseraCore

/// Additions of tensors of one element.
///
/// Run under callgrind by `Benchmarks/measure`, which counts instructions.
enum Additions {
  static func ours(_ count: Int) throws {
    try withoutGradient {
      var sum = try Tensor.zeros([1])
      let one = try Tensor.ones([1])
      for _ in 0..<count { sum = try sum + one }
    }
  }

  static func theirs(_ count: Int) { reference_additions(Int64(count)) }
}
