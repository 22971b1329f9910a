internal import Foundation

/// Half a cosine up to the peak, and half a cosine down to next to nothing (Smith and Topin, 2019).
///
/// The first step has the first rate and the last the last, as PyTorch has it.
public struct OneCycleSchedule: Schedule {
  /// The first rate.
  public var initial: Double
  /// The greatest rate.
  public var peak: Double
  /// The rate of the last step and after it.
  public var final: Double
  /// How many steps the cycle has.
  public var steps: Int
  /// The share of them that rise, in `0...1`.
  public var rise: Double

  /// `a + (b - a) · (1 - cos(π · progress)) / 2`, from the first rate to the peak, then from it to the last.
  public func rate(at step: Int) -> Double {
    let last = Double(steps) - 1
    let top = min(max(rise * Double(steps) - 1, 0), max(last, 0))
    let place = max(Double(step), 0)
    if place < top { return between(initial, peak, place / top) }
    return between(peak, final, last > top ? min((place - top) / (last - top), 1) : 1)
  }

  private func between(_ start: Double, _ end: Double, _ progress: Double) -> Double {
    start + (end - start) * (1 - cos(.pi * progress)) / 2
  }
}

extension Schedule where Self == OneCycleSchedule {
  /// Up to `peak`, then down.
  ///
  /// - Parameters:
  ///   - peak: The greatest rate.
  ///   - steps: How many steps the cycle has.
  ///   - rise: The share of them that rise.
  ///   - initial: The first rate; a 25th of the peak if `nil`.
  ///   - final: The last rate; a 10,000th of the first if `nil`.
  /// - Returns: The schedule.
  public static func oneCycle(
    to peak: Double,
    over steps: Int,
    rise: Double = 0.3,
    from initial: Double? = nil,
    downTo final: Double? = nil
  ) -> Self {
    let first = initial ?? peak / 25
    return Self(initial: first, peak: peak, final: final ?? first / 1e4, steps: steps, rise: rise)
  }
}
