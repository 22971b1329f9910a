internal import Foundation
internal import TesseraCore

/// What the coordinator asks for in a phase, and how it reads an answer.
enum StatisticsRequest {
  enum Phase: String, Sendable {
    /// Counts, sums, noised ranges and digests.
    case summary
    /// What needs a global mean or range: squared distances and histograms.
    case spread
  }

  /// What a site says of a feature; what does not belong together is refused as a whole.
  struct SiteFeature: Sendable {
    var count = 0
    var missing = 0
    var sum = 0.0
    var low: Double?
    var high: Double?
    /// The sum of squared distances from ``center``.
    var squares: Double?
    var center: Double?
    var digest: TDigest?
    var histogram: StatisticsHistogram?
  }

  static func summary(
    features: [String]?,
    compression: Double?,
    range: Bool
  ) throws -> Exchange {
    var request = Exchange(.statistics, headers: ["phase": Phase.summary.rawValue])
    if let features {
      request.headers["features"] = String(
        decoding: try JSONEncoder().encode(features),
        as: UTF8.self
      )
    }
    request.metrics["compression"] = compression
    if range { request.metrics["range"] = 1 }
    return request
  }

  /// The features of a site's answer to the first phase, by group.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/rejectedUpdate``, naming site, group and feature.
  static func summaries(_ answer: Answer) throws -> [String: [String: SiteFeature]] {
    var rows: [String: Int] = [:]
    return try read(answer) { name, part, refuse in
      guard let count = part.count("count"), count > 0, let missing = part.count("missing"),
        let sum = part.metrics["sum"], sum.isPlausible
      else { throw refuse("its count or its sum") }
      // A site may not count for more than the examples it announced, in all groups together.
      rows[name, default: 0] += count + missing
      guard rows[name, default: 0] <= answer.site.exampleCount else {
        throw refuse("its count, of more values than the site has examples,")
      }
      var feature = SiteFeature(count: count, missing: missing, sum: sum)
      if let low = part.metrics["low"], let high = part.metrics["high"] {
        // The mean is rounded.
        let (mean, slack) = (sum / Double(count), 1e-9 * max(abs(low), abs(high)))
        guard low.isPlausible, high.isPlausible, low <= high, low - slack <= mean,
          mean <= high + slack
        else { throw refuse("its range") }
        feature.low = low
        feature.high = high
      }
      if let tensor = part.tensors["digest"] {
        guard tensor.shape.count == 2, tensor.shape[1] == 2, tensor.shape[0] <= 100_000 else {
          throw refuse("its digest")
        }
        let numbers = try tensor.to(.float64).array(of: Double.self)
        let centroids = stride(from: 0, to: numbers.count, by: 2).map {
          TDigest.Centroid(mean: numbers[$0], weight: numbers[$0 + 1])
        }
        let total = centroids.reduce(0) { $0 + $1.weight }
        guard centroids.allSatisfy({ $0.mean.isPlausible && $0.weight >= 1 }),
          total == Double(count)
        else { throw refuse("its digest") }
        feature.digest = TDigest(centroids: centroids)
      }
      return feature
    }
  }

  /// Adds a site's answer to the second phase.
  ///
  /// - Throws: As ``summaries(_:)``; nothing is added then.
  static func addSpread(
    _ answer: Answer,
    to summaries: inout [String: [String: SiteFeature]],
    request: Exchange
  ) throws {
    let spread = try read(answer) { _, part, refuse in
      var feature = SiteFeature()
      if let squares = part.metrics["squares"] {
        guard squares.isFinite, squares >= 0 else { throw refuse("its variance") }
        feature.squares = squares
      }
      if let tensor = part.tensors["histogram"] {
        guard tensor.shape.count == 1, tensor.count >= 3, tensor.count <= 1_000_002 else {
          throw refuse("its histogram")
        }
        let counts = try tensor.to(.float64).array(of: Double.self).map { Int(exactly: $0) ?? -1 }
        guard counts.allSatisfy({ (0...largestCount).contains($0) }) else {
          throw refuse("its histogram")
        }
        feature.histogram = StatisticsHistogram(
          low: 0,
          high: 0,
          counts: Array(counts[1..<(counts.count - 1)]),
          below: counts[0],
          above: counts[counts.count - 1]
        )
      }
      return feature
    }
    for (group, features) in spread {
      for (name, feature) in features {
        let counts = feature.histogram.map { $0.counts.reduce($0.below + $0.above, +) } ?? 0
        guard counts <= summaries[group]?[name]?.count ?? .max else {
          throw FederationError.rejected(
            answer.site,
            "its histogram of '\(group)', '\(name)' has more values than its count"
          )
        }
      }
    }
    for (group, features) in spread {
      for (name, feature) in features {
        guard let asked = request.parts[group]?.parts[name],
          summaries[group]?[name] != nil
        else { continue }
        summaries[group]?[name]?.squares = feature.squares
        summaries[group]?[name]?.center = asked.metrics["mean"]
        guard var histogram = feature.histogram, let low = asked.metrics["low"],
          let high = asked.metrics["high"], asked.metrics["bins"] == Double(histogram.counts.count)
        else { continue }
        histogram.low = low
        histogram.high = high
        summaries[group]?[name]?.histogram = histogram
      }
    }
  }

  /// Sums of counts of many sites stay exact and far from overflow.
  fileprivate static let largestCount = 1 << 40

  private static func read(
    _ answer: Answer,
    _ feature: (String, Exchange, (String) -> FederationError) throws -> SiteFeature
  ) throws -> [String: [String: SiteFeature]] {
    var groups: [String: [String: SiteFeature]] = [:]
    for (group, part) in answer.exchange.parts.sorted(by: { $0.key < $1.key }) {
      for (name, part) in part.parts.sorted(by: { $0.key < $1.key }) {
        groups[group, default: [:]][name] = try feature(name, part) {
          .rejected(answer.site, "\($0) of '\(group)', '\(name)' cannot be used")
        }
      }
    }
    return groups
  }
}

extension Exchange {
  /// A measurement that is a count.
  fileprivate func count(_ name: String) -> Int? {
    metrics[name].flatMap { Int(exactly: $0) }
      .flatMap { (0...StatisticsRequest.largestCount).contains($0) ? $0 : nil }
  }
}

extension Double {
  /// Whether sums and squares of numbers like this, of any number of sites, are numbers still: no site can spoil the others'.
  fileprivate var isPlausible: Bool { magnitude <= 1e140 }
}
