internal import ArgumentParser

/// The range that an option's value must be in.
protocol Limit: Sendable {
  static var range: ClosedRange<Double> { get }
  static var isWhole: Bool { get }
}

extension Limit {
  static var isWhole: Bool { true }
}

enum SiteLimit: Limit { static let range = 1.0...1000.0 }
enum RoundLimit: Limit { static let range = 1.0...10_000.0 }
enum LaneLimit: Limit { static let range = 1.0...256.0 }
enum EpochLimit: Limit { static let range = 1.0...1000.0 }
enum BatchLimit: Limit { static let range = 1.0...10_000.0 }
enum ShardLimit: Limit { static let range = 1.0...1000.0 }
enum FractionLimit: Limit {
  static let range = 0.001...1.0
  static let isWhole = false
}
enum PercentLimit: Limit {
  static let range = 1.0...100.0
  static let isWhole = false
}
/// Whole numbers up to 2^53 are exact in a Double.
enum SeedLimit: Limit { static let range = 0.0...9_007_199_254_740_992.0 }
enum AlphaLimit: Limit {
  static let range = 0.01...1000.0
  static let isWhole = false
}

/// A number within limits, refused with one line that says what is allowed.
struct Limited<Bounds: Limit>: ExpressibleByArgument, Sendable {
  let value: Double

  init(_ value: Double) { self.value = value }

  init?(argument: String) {
    guard let value = Double(argument), Bounds.range.contains(value),
      !Bounds.isWhole || (Int(argument) != nil)
    else { return nil }
    self.value = value
  }

  var defaultValueDescription: String { Bounds.isWhole ? "\(Int(value))" : "\(value)" }
}
