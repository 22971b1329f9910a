internal import Foundation

/// A learning rate for each step, counted from 0.
///
///     let schedule: some Schedule = .cosine(from: 0.1, over: 1000).warmedUp(over: 50)
///     optimizer.learningRate = schedule.rate(at: step)
public protocol Schedule: Sendable {
  /// The rate to use at a step.
  func rate(at step: Int) -> Double
}

/// The same rate at all steps.
public struct ConstantSchedule: Schedule {
  /// The rate.
  public var rate: Double

  /// The rate.
  public func rate(at step: Int) -> Double { rate }
}

/// The rate multiplied by a factor every so many steps.
public struct StepSchedule: Schedule {
  /// The first rate.
  public var initial: Double
  /// How many steps a rate lasts.
  public var interval: Int
  /// The factor after each interval.
  public var factor: Double

  /// `initial · factor^(step / interval)`.
  public func rate(at step: Int) -> Double {
    initial * pow(factor, Double(max(step, 0) / max(interval, 1)))
  }
}

/// Half a cosine from the first rate to the last (Loshchilov and Hutter, 2017).
public struct CosineSchedule: Schedule {
  /// The first rate.
  public var initial: Double
  /// The rate at the end and after it.
  public var final: Double
  /// How many steps the way takes.
  public var steps: Int

  /// `final + (initial - final) · (1 + cos(π · step / steps)) / 2`.
  public func rate(at step: Int) -> Double {
    final + (initial - final) * (1 + cos(.pi * progress(step, of: steps))) / 2
  }
}

/// A power of the remaining way from the first rate to the last; linear for a power of 1.
public struct PolynomialSchedule: Schedule {
  /// The first rate.
  public var initial: Double
  /// The rate at the end and after it.
  public var final: Double
  /// How many steps the way takes.
  public var steps: Int
  /// The power.
  public var power: Double

  /// `final + (initial - final) · (1 - step / steps)^power`.
  public func rate(at step: Int) -> Double {
    final + (initial - final) * pow(1 - progress(step, of: steps), power)
  }
}

/// A straight rise from zero, then another schedule.
public struct WarmupSchedule<Rest: Schedule>: Schedule {
  /// How many steps the rise takes; the rate of step `steps` is the first of `rest`.
  public var steps: Int
  /// What follows, counted from its own step 0.
  public var rest: Rest

  /// A share of `rest`'s first rate, then `rest`.
  public func rate(at step: Int) -> Double {
    guard step < steps, steps > 0 else { return rest.rate(at: step - max(steps, 0)) }
    // As real numbers, which do not overflow.
    return rest.rate(at: 0) * (Double(max(step, 0)) + 1) / (Double(steps) + 1)
  }
}

extension Schedule {
  /// This schedule after a straight rise.
  public func warmedUp(over steps: Int) -> WarmupSchedule<Self> {
    WarmupSchedule(steps: steps, rest: self)
  }
}

extension Schedule where Self == ConstantSchedule {
  /// The same rate at all steps.
  public static func constant(_ rate: Double) -> Self { Self(rate: rate) }
}

extension Schedule where Self == StepSchedule {
  /// The rate multiplied by `factor` every `interval` steps.
  public static func step(
    from initial: Double,
    every interval: Int,
    by factor: Double = 0.1
  ) -> Self {
    Self(initial: initial, interval: interval, factor: factor)
  }
}

extension Schedule where Self == CosineSchedule {
  /// Half a cosine from `initial` to `final`.
  public static func cosine(from initial: Double, to final: Double = 0, over steps: Int) -> Self {
    Self(initial: initial, final: final, steps: steps)
  }
}

extension Schedule where Self == PolynomialSchedule {
  /// A power of the remaining way from `initial` to `final`.
  public static func polynomial(
    from initial: Double,
    to final: Double = 0,
    over steps: Int,
    power: Double = 1
  ) -> Self {
    Self(initial: initial, final: final, steps: steps, power: power)
  }
}

/// The share of the way that is done, in `0...1`.
private func progress(_ step: Int, of steps: Int) -> Double {
  steps > 0 ? min(max(Double(step) / Double(steps), 0), 1) : 1
}
