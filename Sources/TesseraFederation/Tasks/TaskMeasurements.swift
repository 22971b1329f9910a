internal import Foundation

/// What a site measures while it is at a task: for those who watch, and for nothing else.
///
/// They are numbers of the data, so a site lets them leave only where it would let out the same numbers with an answer: never with
/// a privacy budget, never in secure aggregation or where it encrypts, and never by a name that its filters leave out.
public struct TaskMeasurements: Sendable, Hashable, Codable {
  /// What was measured last, by name.
  public var metrics: [String: Double]
  /// How far the work is, in the executor's own count; `nil` if it does not say.
  public var step: Int?

  /// How many measurements are told at once at most.
  public static let largestCount = 32
  /// How long a name may be, in bytes of UTF-8.
  public static let longestName = 100

  /// Measurements: the first by name if there are too many, without such as have names that are too long, or no finite value.
  public init(_ metrics: [String: Double], step: Int? = nil) {
    let usable = metrics.filter { name, value in
      value.isFinite && !name.isEmpty && name.utf8.count <= Self.longestName
        && name.unicodeScalars.allSatisfy { !CharacterSet.controlCharacters.contains($0) }
    }
    let kept = usable.sorted { $0.key < $1.key }.prefix(Self.largestCount)
    self.metrics = Dictionary(kept.map { ($0.key, $0.value) }) { first, _ in first }
    self.step = step.map { max(0, $0) }
  }

  /// These, with what was measured since.
  public func updated(by later: TaskMeasurements) -> TaskMeasurements {
    TaskMeasurements(
      metrics.merging(later.metrics) { $1 },
      step: later.step ?? step
    )
  }
}
