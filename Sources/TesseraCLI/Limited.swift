internal import ArgumentParser
internal import Foundation
internal import TesseraFederation

/// What an option's value may be.
protocol Limit: Sendable {
  associatedtype Value: Comparable & LosslessStringConvertible & Sendable
  static var range: ClosedRange<Value> { get }
}

private typealias Limits = ImageExperiment.Configuration.Limits

enum SiteLimit: Limit { static let range = Limits.sites }
enum RoundLimit: Limit { static let range = Limits.rounds }
enum LaneLimit: Limit { static let range = Limits.lanes }
enum EpochLimit: Limit { static let range = Limits.epochs }
enum BatchLimit: Limit { static let range = Limits.batch }
enum ShardLimit: Limit { static let range = Limits.shards }
enum SeedLimit: Limit { static let range = Limits.seed }
enum AlphaLimit: Limit { static let range = Limits.alpha }
enum FractionLimit: Limit { static let range = Limits.fraction }
enum PercentLimit: Limit { static let range = 1.0...100.0 }

/// A number within limits, refused with one line that says what is allowed.
struct Limited<Bounds: Limit>: ExpressibleByArgument, Sendable {
  let value: Bounds.Value

  init(_ value: Bounds.Value) { self.value = value }

  init?(argument: String) {
    guard let value = Bounds.Value(argument), Bounds.range.contains(value) else { return nil }
    self.value = value
  }

  var defaultValueDescription: String { "\(value)" }
}

extension ArgumentHelp {
  /// The help of an option whose value is ``Limited``; usage and errors show what is allowed.
  static func limited<Bounds: Limit>(_ abstract: String, _ bounds: Bounds.Type) -> Self {
    Self(abstract, valueName: allowed(bounds.range))
  }
}

/// `1...8`, and `0.01...1000` without a fraction that says nothing.
func allowed<Value: Comparable & LosslessStringConvertible>(_ range: ClosedRange<Value>) -> String {
  func text(_ value: Value) -> String {
    let text = "\(value)"
    return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
  }
  return "\(text(range.lowerBound))...\(text(range.upperBound))"
}
