internal import Foundation

/// The rate multiplied by a factor at each of some steps.
public struct MultiStepSchedule: Schedule {
  /// The first rate.
  public var initial: Double
  /// The steps from which the rate is another, in any order; one that is named twice counts twice.
  public var milestones: [Int]
  /// The factor at each of them.
  public var factor: Double

  /// `initial · factor^n`, where `n` milestones are reached.
  public func rate(at step: Int) -> Double {
    initial * pow(factor, Double(milestones.count { $0 <= step }))
  }
}

extension Schedule where Self == MultiStepSchedule {
  /// The rate multiplied by `factor` at each of the given steps.
  public static func multiStep(
    from initial: Double,
    at milestones: [Int],
    by factor: Double = 0.1
  ) -> Self {
    Self(initial: initial, milestones: milestones, factor: factor)
  }
}
