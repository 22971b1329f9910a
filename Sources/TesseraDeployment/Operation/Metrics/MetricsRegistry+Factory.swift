public import CoreMetrics

/// What libraries measure by way of swift-metrics.
///
/// Names and dimensions become Prometheus': `http.requests` is `http_requests_total`, and times are in seconds. A name that
/// another kind of metric has gets the kind as its end, and nothing a library calls its metrics stops the program.
extension MetricsRegistry: MetricsFactory {
  /// A counter.
  public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
    handler(label, "total", .counter, dimensions)
  }

  /// A counter of fractions.
  public func makeFloatingPointCounter(
    label: String,
    dimensions: [(String, String)]
  ) -> any FloatingPointCounterHandler {
    handler(label, "total", .counter, dimensions)
  }

  /// A gauge.
  public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
    handler(label, nil, .gauge, dimensions)
  }

  /// A histogram, or a gauge if nothing is to be aggregated.
  public func makeRecorder(
    label: String,
    dimensions: [(String, String)],
    aggregate: Bool
  ) -> any RecorderHandler {
    handler(label, nil, aggregate ? .histogram(Self.magnitudes) : .gauge, dimensions)
  }

  /// A histogram of seconds.
  public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
    handler(label, "seconds", .histogram(Self.seconds), dimensions)
  }

  /// Forgets a counter.
  public func destroyCounter(_ handler: any CounterHandler) { (handler as? Series)?.remove() }

  /// Forgets a counter of fractions.
  public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) {
    (handler as? Series)?.remove()
  }

  /// Forgets a gauge.
  public func destroyMeter(_ handler: any MeterHandler) { (handler as? Series)?.remove() }

  /// Forgets a histogram, or a gauge.
  public func destroyRecorder(_ handler: any RecorderHandler) { (handler as? Series)?.remove() }

  /// Forgets a histogram of seconds.
  public func destroyTimer(_ handler: any TimerHandler) { (handler as? Series)?.remove() }

  /// Buckets for values of which nothing is known: powers of ten.
  private static let magnitudes: [Double] = (-3...9).map { exponent in
    exponent < 0
      ? 1 / (0 ..< -exponent).reduce(1) { power, _ in power * 10 }
      : (0..<exponent).reduce(1) { power, _ in power * 10 }
  }

  private func handler(
    _ label: String,
    _ unit: String?,
    _ kind: MetricFamily.Kind,
    _ dimensions: [(String, String)]
  ) -> Series {
    var name = MetricName.sanitized(label, colons: true)
    if let unit, !name.hasSuffix("_\(unit)") { name += "_\(unit)" }
    var labels: [MetricLabel] = []
    for (key, value) in dimensions {
      var name = MetricName.sanitized(key, colons: false)
      if !MetricName.isLabel(name) || name == "le" { name = "label_\(name)" }
      if labels.contains(where: { $0.name == name }) { continue }
      labels.append(MetricLabel(name: name, value: value))
    }
    labels.sort()
    var family = existing(name, label, kind)
    if family.kind != kind {
      let suffix =
        switch kind {
        case .counter: "counter"
        case .gauge: "gauge"
        case .histogram: "histogram"
        }
      family = existing("\(name)_\(suffix)", label, kind)
    }
    // Two libraries that differ on the buckets of a histogram share those that were first.
    return Series(family: family, labels: labels)
  }
}

/// One series of a metric of a library.
private final class Series: CounterHandler, FloatingPointCounterHandler, MeterHandler,
  RecorderHandler, TimerHandler
{
  private let family: MetricFamily
  private let labels: [MetricLabel]

  init(family: MetricFamily, labels: [MetricLabel]) {
    self.family = family
    self.labels = labels
  }

  func remove() { family.remove(labels) }

  func increment(by amount: Int64) { family.add(Double(amount), labels) }
  func increment(by amount: Double) {
    family.kind == .gauge ? family.change(by: amount, labels) : family.add(amount, labels)
  }
  func decrement(by amount: Double) { family.change(by: -amount, labels) }
  func reset() { family.set(0, labels) }
  func set(_ value: Int64) { family.set(Double(value), labels) }
  func set(_ value: Double) { family.set(value, labels) }
  func record(_ value: Int64) { record(Double(value)) }
  func record(_ value: Double) {
    family.kind == .gauge ? family.set(value, labels) : family.observe(value, labels)
  }
  func recordNanoseconds(_ duration: Int64) { family.observe(Double(duration) / 1e9, labels) }
}
