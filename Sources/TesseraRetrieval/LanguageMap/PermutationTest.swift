/// A number against what it is where nothing is to be found: how it comes out when things are shuffled, again and again (Good, 2005).
public struct PermutationTest: Sendable, Hashable, Codable {
  /// The number that was measured.
  public var value: Double
  /// What it is each time with shuffled things, in the order of the draws.
  public var shuffled: [Double]
  /// How often shuffled things give what is as far from their mean as the number, or farther: in `0...1`, never 0.
  public var p: Double

  /// Which numbers speak against chance.
  public enum Alternative: Sendable, Hashable {
    /// Those that are large.
    case greater
    /// Those that are far from what chance gives, on either side.
    case different
  }

  /// Tests a number; `nil` without a draw.
  ///
  /// - Parameters:
  ///   - value: The number.
  ///   - shuffled: What it is with shuffled things, a draw each.
  ///   - alternative: Which numbers speak against chance.
  public init?(_ value: Double, shuffled: [Double], alternative: Alternative) {
    guard !shuffled.isEmpty else { return nil }
    self.value = value
    self.shuffled = shuffled
    let mean = shuffled.mean
    let extreme = shuffled.count { draw in
      switch alternative {
      case .greater: draw >= value
      case .different: abs(draw - mean) >= abs(value - mean)
      }
    }
    // The number itself is one of the draws that chance could give (Phipson and Smyth, 2010).
    p = Double(extreme + 1) / Double(shuffled.count + 1)
  }

  /// Where 95 % of what chance gives lies.
  public var interval: ClosedRange<Double> {
    let sorted = shuffled.sorted()
    let tail = Int(Double(sorted.count) * 0.025)
    guard let low = sorted.dropFirst(tail).first, let high = sorted.dropLast(tail).last else {
      return value...value
    }
    return low...high
  }

  /// By how much one number is more than another that was measured on the same things.
  ///
  /// - Parameter other: The number that is subtracted.
  /// - Returns: The difference, against those that the same shuffled things give; `nil` if they were not shuffled equally often.
  public func difference(from other: PermutationTest) -> PermutationTest? {
    guard shuffled.count == other.shuffled.count else { return nil }
    return PermutationTest(
      value - other.value,
      shuffled: zip(shuffled, other.shuffled).map { $0 - $1 },
      alternative: .different
    )
  }
}
