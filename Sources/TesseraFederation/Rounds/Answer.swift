internal import Synchronization
internal import SystemPackage
public import TesseraCore

/// A site's usable answer.
public struct Answer: Sendable {
  /// Who answered.
  public var site: Site
  /// What.
  public var exchange: Exchange
}

/// What the updates of a round came to.
public struct Aggregate: Sendable {
  /// The aggregate of each part of the updates; of plain updates, of the only one, named `model`.
  public var parts: [String: Exchange]
  /// Whose updates are in it, in the order of the sites.
  public var contributions: [Contribution]
  /// Whose are not.
  public var refusals: [Refusal]

  /// The name of the part that is a model.
  public static let modelPart = "model"

  /// The aggregate of the models.
  public var exchange: Exchange { parts[Self.modelPart] ?? Exchange(.weights) }

  /// The aggregate of the models.
  public var model: ModelState { exchange.tensors }

  /// The sites' mean of a measurement, by weight.
  public func mean(of metric: String) -> Double? { contributions.mean(of: metric) }
}

/// A part of the updates that is aggregated for itself.
public struct AggregatedPart: Sendable {
  /// What the sites were sent of it: updates have its names, shapes and dtypes.
  public var reference: ModelState
  /// How the updates become one.
  public var rule: any AggregationRule

  /// A part.
  public init(reference: ModelState, rule: any AggregationRule = WeightedMean()) {
    self.reference = reference
    self.rule = rule
  }
}

extension [Contribution] {
  /// The sites' mean of a measurement, by weight.
  public func mean(of metric: String) -> Double? {
    let reported = compactMap { part in part.metrics[metric].map { (part.weight, $0) } }
    let total = reported.reduce(0) { $0 + $1.0 }
    return total > 0 ? reported.reduce(0) { $0 + $1.0 * $1.1 } / total : nil
  }
}

/// Keeps every answer.
struct AnswerList: AnswerSink {
  var answers: [Answer] = []

  mutating func take(_ answer: Exchange, from site: Site) throws -> Double {
    answers.append(Answer(site: site, exchange: answer))
    return answer.claimedWeight(of: site)
  }
}

/// Folds every answer, and keeps none.
///
/// What it folds into is large, and never copied: it lies behind a reference, so that it has one owner whoever passes the fold on.
struct AnswerFold: AnswerSink {
  private final class Parts: Sendable {
    let aggregations: Mutex<[String: any Aggregation]>

    init(_ aggregations: sending [String: any Aggregation]) {
      self.aggregations = Mutex(aggregations)
    }
  }
  private let parts: Parts

  init(
    _ parts: [String: AggregatedPart],
    sites: [Site],
    secrets: SecretSource,
    divisor: Double?,
    spool: FilePath? = nil
  ) throws {
    var begun: [String: any Aggregation] = [:]
    for (name, part) in parts {
      begun[name] = try part.rule.begin(
        AggregationRound(
          reference: part.reference,
          sites: sites,
          secrets: secrets.derived(name),
          divisor: divisor,
          spool: spool
        )
      )
    }
    self.parts = Parts(begun)
  }

  mutating func take(_ answer: Exchange, from site: Site) throws -> Double {
    try parts.aggregations.withLock { try Self.fold(answer, into: &$0, from: site) }
  }

  private static func fold(
    _ answer: Exchange,
    into aggregations: inout [String: any Aggregation],
    from site: Site
  ) throws -> Double {
    guard aggregations.count > 1 || answer.kind == .collection else {
      let name = aggregations.first?.key ?? Aggregate.modelPart
      return try fold(answer, as: name, into: &aggregations, from: site)
    }
    var folded: [(name: String, part: Exchange, weight: Double)] = []
    do {
      for name in aggregations.keys.sorted() {
        guard var part = answer.parts[name] else {
          throw FederationError.rejected(site, "its answer has no part '\(name)'")
        }
        part.metadata.weight = part.metadata.weight ?? answer.metadata.weight
        part.metadata.samples = part.metadata.samples ?? answer.metadata.samples
        let weight = try fold(part, as: name, into: &aggregations, from: site)
        folded.append((name, part, weight))
      }
    } catch {
      // All parts are taken, or none.
      for (name, part, weight) in folded {
        try aggregations[name]?.takeBack(part, weight: weight, from: site)
      }
      throw error
    }
    return (folded.first { $0.name == Aggregate.modelPart } ?? folded.first)?.weight ?? 0
  }

  private static func fold(
    _ part: Exchange,
    as name: String,
    into aggregations: inout [String: any Aggregation],
    from site: Site
  ) throws -> Double {
    guard let weight = try aggregations[name]?.fold(part, from: site) else {
      throw FederationError.rejected(site, "its answer has an unknown part '\(name)'")
    }
    return weight
  }

  /// What the parts come to; each is let go of as soon as it is known.
  mutating func results() throws -> [String: Exchange] {
    try parts.aggregations.withLock { aggregations in
      var results: [String: Exchange] = [:]
      // In a list of their own: a view of the dictionary would make it copy what changes.
      for name in Array(aggregations.keys) {
        results[name] = try aggregations[name]?.result()
        aggregations[name] = nil
      }
      return results
    }
  }
}
