/// An element of GF(2^16), as a polynomial over GF(2) modulo `x¹⁶ + x¹² + x³ + x + 1`.
///
/// Products take the same steps whatever the operands are: no table is looked up and no branch taken by a secret.
struct GaloisField16: Hashable, Sendable {
  var bits: UInt16

  /// The polynomial without its leading term.
  private static let reduction: UInt16 = 0x100b

  static let zero = GaloisField16(bits: 0)
  static let one = GaloisField16(bits: 1)

  /// The sum, which is the difference too.
  static func + (left: Self, right: Self) -> Self {
    GaloisField16(bits: left.bits ^ right.bits)
  }

  static func * (left: Self, right: Self) -> Self {
    var product: UInt16 = 0
    var shifted = left.bits
    for position in 0..<16 {
      product ^= shifted & (0 &- ((right.bits &>> position) & 1))
      shifted = (shifted &<< 1) ^ (reduction & (0 &- (shifted &>> 15)))
    }
    return GaloisField16(bits: product)
  }

  /// The element whose product with this one is 1; zero for zero.
  var inverse: Self {
    // a^(2¹⁶ − 2), by squaring: 2¹⁶ − 2 has the bits 1 to 15 set.
    var power = self
    var result = Self.one
    for _ in 1..<16 {
      power = power * power
      result = result * power
    }
    return result
  }
}
