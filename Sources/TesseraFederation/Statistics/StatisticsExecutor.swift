internal import Foundation
internal import TesseraCore

/// A site's side of ``StatisticsWorkflow``: counts, sums, histograms and digests of its own tables, within its own rules.
///
/// A site answers each phase with a collection: a part for each group, in it a part for each feature. What the rules keep back is
/// left out, and told of in the header `left out`, by name if the name may be shown; a site that may show nothing answers ``ReturnCode/nothingToShare``.
public struct StatisticsExecutor: Executor {
  /// What the site refuses to show.
  public let rules: StatisticsRules
  private let noise: StatisticsNoise
  private let tables: @Sendable (Site) throws -> [String: DataTable]

  /// An executor for statistics.
  ///
  /// - Parameters:
  ///   - rules: What the site refuses to show.
  ///   - noise: Where the noise comes from that hides the ends of a range.
  ///   - tables: The site's data, by group.
  public init(
    rules: StatisticsRules = StatisticsRules(),
    noise: StatisticsNoise,
    tables: @escaping @Sendable (Site) throws -> [String: DataTable]
  ) {
    self.rules = rules
    self.noise = noise
    self.tables = tables
  }

  /// Answers a phase.
  public func execute(_ task: SiteTask, at site: SiteContext) async throws -> Exchange {
    guard task.name == .statistics,
      let phase = task.data.headers["phase"].flatMap(StatisticsRequest.Phase.init)
    else {
      throw FederationError(code: .badTask, message: "this site answers statistics alone")
    }
    let tables = try tables(site.site)
    let shown = rules.shown(groups: tables.mapValues(\.rowCount))
    let own = tables.filter { shown.contains($0.key) }.sorted { $0.key < $1.key }
    let asked = task.data.headers["features"]
      .flatMap { try? JSONDecoder().decode([String].self, from: Data($0.utf8)) }
    let wanted = task.data.parts.values.flatMap(\.parts.keys)
    let named = names(in: own.map(\.value), asked: (asked ?? []) + wanted)
    var groups: [String: Exchange] = [:]
    var leftOut: [String] = []
    var isUnnamed = shown.count < tables.count
    for (group, table) in own {
      var parts: [String: Exchange] = [:]
      for (feature, column) in zip(table.features, table.columns)
      where asked?.contains(feature) ?? true {
        try Task.checkCancellation()
        let request = task.data.parts[group]?.parts[feature]
        guard phase == .summary || request != nil else { continue }
        let values = column.filter { !$0.isNaN }
        guard values.count >= max(1, rules.minimumCount) else {
          if named.contains(feature) {
            leftOut.append("\(group), \(feature): fewer than \(rules.minimumCount) values")
          } else {
            isUnnamed = true
          }
          continue
        }
        var part: Exchange?
        switch phase {
        case .summary:
          part = try summary(of: values, for: task.data)
          part?.metrics["missing"] = Double(column.count - values.count)
          if task.data.metrics["range"] != nil, let low = values.min(), let high = values.max() {
            let key = noise.key(of: feature, in: group, task: task)
            let shown = rules.shown(low: low, high: high, key: key)
            part?.metrics["low"] = shown.low
            part?.metrics["high"] = shown.high
          }
        case .spread:
          part = try request.map { request in
            try spread(of: values, for: request) {
              leftOut.append("\(group), \(feature): \($0)")
            }
          }
        }
        parts[feature] = part
        site.progress()
      }
      if !parts.isEmpty { groups[group] = Exchange(.statistics, parts: parts) }
    }
    var answer = Exchange(.statistics, parts: groups)
    if isUnnamed {
      leftOut.append(
        "groups or features whose names stay here: fewer than \(rules.minimumCount) values, or known by those"
      )
    }
    if !leftOut.isEmpty { answer.headers["left out"] = leftOut.joined(separator: "\n") }
    if groups.isEmpty {
      answer.returnCode = .nothingToShare
      answer.reason =
        "it has too few values to show anything of them: \(rules.minimumCount) are needed"
    }
    return answer
  }

  /// The features whose names may be shown: those that were asked for by name, and those with enough values in a group.
  private func names(in tables: [DataTable], asked: [String]) -> Set<String> {
    var names = Set(asked)
    for table in tables {
      for (feature, column) in zip(table.features, table.columns)
      where column.count(where: { !$0.isNaN }) >= max(1, rules.minimumCount) {
        names.insert(feature)
      }
    }
    return names
  }

  private func summary(of values: [Double], for request: Exchange) throws -> Exchange {
    var part = Exchange(.statistics)
    part.metrics = ["count": Double(values.count), "sum": values.compensatedSum()]
    if let compression = request.metrics["compression"], compression.isFinite {
      let digest = TDigest(
        of: values,
        compression: min(max(compression, 10), 10_000),
        smallestGroup: rules.smallestGroup
      )
      part.tensors = try ModelState([
        (
          name: "digest",
          tensor: Tensor(
            digest.centroids.flatMap { [$0.mean, $0.weight] },
            shape: [digest.centroids.count, 2]
          )
        )
      ])
    }
    return part
  }

  private func spread(
    of values: [Double],
    for request: Exchange,
    leaveOut: (String) -> Void
  ) throws -> Exchange {
    var part = Exchange(.statistics)
    if let mean = request.metrics["mean"] {
      part.metrics["squares"] = values.map { ($0 - mean) * ($0 - mean) }.compensatedSum()
    }
    guard let low = request.metrics["low"], let high = request.metrics["high"],
      let bins = request.metrics["bins"].flatMap({ Int(exactly: $0) }),
      bins >= 1, low < high, (high - low).isFinite,
      // Bins must have a width that numbers can tell.
      (high - low) / Double(bins) >= max(high.ulp, low.ulp)
    else { return part }
    let largest = rules.largestBinCount(for: values.count)
    guard bins <= largest else {
      leaveOut("no histogram of \(bins) bins, of so few values \(largest) are allowed")
      return part
    }
    let counts = rules.shown(
      StatisticsHistogram.counts(of: values, bins: bins, from: low, to: high)
    )
    part.tensors = try ModelState([
      (name: "histogram", tensor: Tensor(counts.map(Double.init), shape: [counts.count]))
    ])
    return part
  }
}

extension [Double] {
  /// The sum with the rounding errors of each step added back at the end (Neumaier, 1974).
  func compensatedSum() -> Double {
    var (sum, correction) = (0.0, 0.0)
    for value in self {
      let next = sum + value
      correction += abs(sum) >= abs(value) ? (sum - next) + value : (value - next) + sum
      sum = next
    }
    // Beyond the largest number there is no correction that is one.
    return sum.isFinite ? sum + correction : sum
  }
}
