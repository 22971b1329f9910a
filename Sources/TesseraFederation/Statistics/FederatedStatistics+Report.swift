internal import Foundation
public import TesseraRun

extension ReportPage.Section {
  /// Federated statistics: a table of each group, and for each feature with a histogram the distribution of all sites together
  /// beneath that of each.
  public init(_ statistics: FederatedStatistics, title: String = "What the sites' data look like") {
    func number(_ value: Double?) -> String {
      value.map { String(format: "%.4g", $0) } ?? "–"
    }
    var contents: [ReportPage.Content] = []
    for (group, features) in statistics.global.sorted(by: { $0.key < $1.key }) {
      let features = features.sorted { $0.key < $1.key }
      let shares = features.first?.value.quantiles.map(\.share) ?? []
      contents.append(.prose("Group: \(group)"))
      contents.append(
        .table(
          header: ["feature", "values", "missing", "mean", "deviation", "from", "to"]
            + shares.map { "\(number($0 * 100)) %" },
          rows: features.map { name, feature in
            [
              name, grouped(feature.count), grouped(feature.missing), number(feature.mean),
              number(feature.deviation), number(feature.low), number(feature.high),
            ] + feature.quantiles.map { number($0.value) }
          }
        )
      )
      for (name, feature) in features {
        guard let histogram = feature.histogram else { continue }
        contents.append(.plot(Self.plot(name, group: group, histogram, of: statistics)))
      }
    }
    contents.append(
      .prose(
        """
        "From" and "to" lie outside of the true range, by noise that each site has drawn; counts of \
        bins with few values are kept back.
        """
      )
    )
    let reasons =
      statistics.missing.sorted { $0.key < $1.key }.map { [$0.key, $0.value] }
      + statistics.leftOut.sorted { $0.key < $1.key }.flatMap { site, lines in
        lines.map { [site, $0] }
      }
    if !reasons.isEmpty {
      contents.append(.table(header: ["kept back by", "what, and why"], rows: reasons))
    }
    self.init(title, contents)
  }

  private static func plot(
    _ feature: String,
    group: String,
    _ histogram: StatisticsHistogram,
    of statistics: FederatedStatistics
  ) -> HistogramPlot {
    var series = [
      HistogramPlot.Series(
        "all sites",
        histogram.counts.map(Double.init),
        color: 0,
        isFilled: true
      )
    ]
    for (site, groups) in statistics.sites.sorted(by: { $0.key < $1.key }) {
      guard let own = groups[group]?[feature]?.histogram else { continue }
      series.append(.init(site, own.counts.map(Double.init), color: series.count))
    }
    return HistogramPlot(
      series,
      from: histogram.low,
      to: histogram.high,
      xLabel: "\(feature), \(group)"
    )
  }
}
