internal import TesseraCore

/// Federated statistics: what the data of all sites look like, without any of them leaving its site.
///
/// One round of two phases.
/// First each site gives counts, sums, a range with noise and a digest of each feature; then, knowing the global mean and
/// range, the squared distances from that mean and a histogram. Sites run a ``StatisticsExecutor``, whose rules may keep
/// things back; a site that may show nothing is listed with its reason. The result is a ``FederatedStatistics``.
///
/// Counts, sums, means and variances are those of all values together, but for rounding: sums are compensated and in the order
/// of sites. Quantiles are read from digests (``TDigest``), whose error each of them states.
public struct StatisticsWorkflow: Workflow {
  /// The bins of a feature's histogram.
  public struct Bins: Sendable, Hashable, Codable {
    /// How many.
    public var count: Int
    /// Where the first begins; the lowest of the noised ranges of the sites if `nil`.
    public var low: Double?
    /// Where the last ends; the highest of the noised ranges of the sites if `nil`.
    public var high: Double?

    /// Bins of one width.
    public init(_ count: Int, from low: Double? = nil, to high: Double? = nil) {
      self.count = count
      self.low = low
      self.high = high
    }
  }

  /// One.
  public let rounds = 1
  /// No.
  public let trains = false
  /// The features; all that sites have if `nil`.
  public let features: [String]?
  /// The bins of single features.
  public let bins: [String: Bins]
  /// The bins of all other features; no histogram if `nil`.
  public let otherBins: Bins?
  /// The shares of values whose quantiles are wanted, each in `0...1`.
  public let quantiles: [Double]
  /// δ of the digests that quantiles are read from.
  public let compression: Double

  /// Federated statistics.
  ///
  /// - Parameters:
  ///   - features: The features; all that sites have if `nil`.
  ///   - bins: The bins of single features.
  ///   - otherBins: The bins of all other features; no histogram if `nil`.
  ///   - quantiles: The shares of values whose quantiles are wanted, each in `0...1`.
  ///   - compression: δ of the digests that quantiles are read from; from 10 to 10,000.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public init(
    features: [String]? = nil,
    bins: [String: Bins] = [:],
    otherBins: Bins? = nil,
    quantiles: [Double] = [],
    compression: Double = 200
  ) throws {
    func invalid(_ message: String) -> FederationError {
      FederationError(code: .invalidConfiguration, message: message)
    }
    for (name, bins) in bins.map({ ("of '\($0.key)'", $0.value) }) + [("", otherBins ?? Bins(1))] {
      guard (1...1_000_000).contains(bins.count) else {
        throw invalid("the number of bins \(name) must be in 1...1000000, not \(bins.count)")
      }
      guard (bins.low ?? 0).isFinite, (bins.high ?? 0).isFinite,
        bins.low.flatMap({ low in bins.high.map { low < $0 } }) ?? true
      else { throw invalid("the bins \(name) must begin before they end") }
    }
    if let wrong = quantiles.first(where: { !(0...1).contains($0) }) {
      throw invalid("a quantile must be in 0...1, not \(wrong)")
    }
    guard (10...10_000).contains(compression) else {
      throw invalid("the digests' compression must be in 10...10000, not \(compression)")
    }
    self.features = features
    self.bins = bins
    self.otherBins = otherBins
    self.quantiles = quantiles
    self.compression = compression
  }

  /// Carries out both phases.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/tooFewSites`` if no site shows anything.
  public func run(_ state: inout WorkflowState, with controller: Controller) async throws {
    var result = FederatedStatistics(global: [:], sites: [:], missing: [:], leftOut: [:])
    var summaries: [(site: Site, groups: [String: [String: StatisticsRequest.SiteFeature]])] = []
    let first = try await controller.poll(
      .statistics,
      StatisticsRequest.summary(
        features: features,
        compression: quantiles.isEmpty ? nil : compression,
        range: true
      ),
      from: controller.sites
    )
    note(first, in: &result)
    for answer in first.answers {
      do {
        summaries.append((answer.site, try StatisticsRequest.summaries(answer)))
      } catch let error as FederationError {
        result.missing[answer.site.name] = error.message
      }
    }
    guard !summaries.isEmpty else {
      let reasons = result.missing.values.sorted().prefix(8).map { "; \($0)" }.joined()
      throw FederationError(
        code: .tooFewSites,
        message: "round \(controller.round): no site shows any statistics\(reasons)"
      )
    }
    let request = spreadRequest(for: totals(of: summaries.map(\.groups)))
    let second = try await controller.poll(.statistics, request, from: summaries.map(\.site))
    note(second, in: &result)
    let places = Dictionary(summaries.indices.map { (summaries[$0].site.index, $0) }) { a, _ in a }
    for answer in second.answers {
      guard let place = places[answer.site.index] else { continue }
      do {
        try StatisticsRequest.addSpread(answer, to: &summaries[place].groups, request: request)
      } catch let error as FederationError {
        result.missing[answer.site.name] = error.message
      }
    }
    for (site, groups) in summaries {
      result.sites[site.name] = groups.mapValues { features in
        features.mapValues { self.feature([$0], quantiles: []) }
      }
    }
    result.global = totals(of: summaries.map(\.groups)).mapValues { features in
      features.mapValues { self.feature($0, quantiles: quantiles) }
    }
    try state.setDocument(FederatedStatistics.document, to: result)
  }

  private func note(_ poll: Poll, in result: inout FederatedStatistics) {
    for refusal in poll.refusals { result.missing[refusal.site] = refusal.reason }
    for answer in poll.answers {
      let lines = answer.exchange.headers["left out"]?.split(separator: "\n").map(String.init) ?? []
      for line in lines.prefix(1000).map({ String($0.prefix(500)) })
      where result.leftOut[answer.site.name]?.contains(line) != true {
        result.leftOut[answer.site.name, default: []].append(line)
      }
    }
  }

  private typealias Totals = [String: [String: [StatisticsRequest.SiteFeature]]]

  /// What sites say of each feature, in the order of the sites.
  private func totals(of sites: [[String: [String: StatisticsRequest.SiteFeature]]]) -> Totals {
    var totals: Totals = [:]
    for groups in sites {
      for (group, features) in groups {
        for (name, feature) in features {
          totals[group, default: [:]][name, default: []].append(feature)
        }
      }
    }
    return totals
  }

  private func spreadRequest(for totals: Totals) -> Exchange {
    // The same bins in all groups, so that they can be compared.
    var ranges: [String: (low: Double, high: Double)] = [:]
    for (name, features) in totals.values.flatMap({ $0 }) {
      for feature in features {
        guard let low = feature.low, let high = feature.high else { continue }
        let known = ranges[name] ?? (low, high)
        ranges[name] = (min(known.low, low), max(known.high, high))
      }
    }
    var request = Exchange(
      .statistics,
      headers: ["phase": StatisticsRequest.Phase.spread.rawValue]
    )
    for (group, features) in totals {
      var parts: [String: Exchange] = [:]
      for (name, sites) in features {
        var part = Exchange(.statistics)
        let count = sites.reduce(0) { $0 + $1.count }
        part.metrics["mean"] = sites.map(\.sum).compensatedSum() / Double(count)
        if let bins = bins[name] ?? otherBins {
          var low = bins.low ?? ranges[name]?.low ?? 0
          var high = bins.high ?? ranges[name]?.high ?? 1
          // A feature of one value gets bins around it.
          if low >= high { (low, high) = (low - 0.5, max(low, high) + 0.5) }
          part.metrics["low"] = low
          part.metrics["high"] = high
          part.metrics["bins"] = Double(bins.count)
        }
        parts[name] = part
      }
      request.parts[group] = Exchange(.statistics, parts: parts)
    }
    return request
  }

  /// What is known of a feature by these sites together.
  private func feature(
    _ sites: [StatisticsRequest.SiteFeature],
    quantiles: [Double]
  ) -> FederatedStatistics.Feature {
    let count = sites.reduce(0) { $0 + $1.count }
    let sum = sites.map(\.sum).compensatedSum()
    let mean = sum / Double(count)
    var histogram: StatisticsHistogram?
    for site in sites {
      guard let own = site.histogram else { continue }
      if histogram == nil { histogram = own } else { histogram?.add(own) }
    }
    let digests = sites.compactMap(\.digest)
    let digested = digests.reduce(0) { $0 + $1.count }
    let digest = TDigest(merging: digests, compression: compression)
    return FederatedStatistics.Feature(
      count: count,
      missing: sites.reduce(0) { $0 + $1.missing },
      sum: sum,
      mean: mean,
      variance: variance(of: sites),
      low: sites.compactMap(\.low).min(),
      high: sites.compactMap(\.high).max(),
      histogram: histogram,
      quantiles: quantiles.compactMap { share in
        digest.quantile(share).map { value in
          // The group that it was read from, and those of each site that went into it.
          let groups = ([digest] + digests).map { $0.largestGroup(around: value) }.reduce(0, +)
          return .init(share: share, value: value, shareError: min(1, groups / digested))
        }
      }
    )
  }
  /// Of the sites that have answered both phases.
  private func variance(of sites: [StatisticsRequest.SiteFeature]) -> Double? {
    let known = sites.filter { $0.squares != nil }
    let count = known.reduce(0) { $0 + $1.count }
    guard count > 1, let center = known.first?.center else { return nil }
    let squares = known.compactMap(\.squares).compensatedSum()
    // Distances were taken from the mean of all sites; these may have another.
    let shift = known.map(\.sum).compensatedSum() / Double(count) - center
    return max(0, squares - Double(count) * shift * shift) / Double(count - 1)
  }
}
