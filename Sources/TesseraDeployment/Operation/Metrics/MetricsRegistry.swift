internal import Synchronization

/// What a program counts and measures, for Prometheus to fetch.
///
///     let metrics = MetricsRegistry()
///     let rounds = metrics.counter("tessera_rounds_total", "Rounds that are done.", labels: ["job"])
///     rounds.add(1, ["job-1"])
///     let text = metrics.exposition()
///
/// It is a backend of swift-metrics too (`MetricsSystem.bootstrap(registry)`), so that what libraries measure shows up beside it.
/// Labels with many values are bounded: a metric has at most ``MetricsRegistry/mostSeries`` of them.
public final class MetricsRegistry: Sendable {
  /// How many combinations of labels a metric may have; what comes on top is not kept.
  public static let mostSeries = 20_000

  private struct State {
    var families: [String: MetricFamily] = [:]
    var collectors: [@Sendable () -> Void] = []
  }
  private let state = Mutex(State())

  /// A registry without metrics.
  public init() {}

  /// Something that only grows.
  ///
  /// - Parameters:
  ///   - name: In Prometheus' style: `tessera_rounds_total`.
  ///   - help: What it is.
  ///   - labels: The names of its labels.
  /// - Returns: The counter: the same one for the same name.
  /// - Precondition: The names are Prometheus', and the name is no other metric's.
  public func counter(_ name: String, _ help: String, labels: [String] = []) -> Counter {
    Counter(family: family(name, help, .counter, labels), labels: labels)
  }

  /// Something that goes up and down; parameters as of ``counter(_:_:labels:)``.
  public func gauge(_ name: String, _ help: String, labels: [String] = []) -> Gauge {
    Gauge(family: family(name, help, .gauge, labels), labels: labels)
  }

  /// How values are distributed: parameters as of ``counter(_:_:labels:)``, and the upper bounds of the buckets, in order, without
  /// infinity.
  public func histogram(
    _ name: String,
    _ help: String,
    labels: [String] = [],
    buckets: [Double] = MetricsRegistry.seconds
  ) -> Histogram {
    Histogram(family: family(name, help, .histogram(buckets), labels), labels: labels)
  }

  /// Buckets for times from a millisecond to an hour, in seconds.
  public static let seconds = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600,
  ]

  /// Calls `update` each time before metrics are shown, for gauges that nobody sets otherwise.
  public func beforeExposition(_ update: @escaping @Sendable () -> Void) {
    state.withLock { $0.collectors.append(update) }
  }

  /// Forgets what has a label of that value: the job is gone.
  public func forget(_ label: String, _ value: String) {
    for family in state.withLock({ Array($0.families.values) }) {
      family.forget(MetricLabel(name: label, value: value))
    }
  }

  /// All metrics in Prometheus' text format, version 0.0.4, in the order of their names.
  public func exposition() -> String {
    for update in state.withLock({ $0.collectors }) { update() }
    let families = state.withLock { Array($0.families.values) }
    var text = ""
    for family in families.sorted(by: { $0.name < $1.name }) { family.write(to: &text) }
    return text
  }

  private func family(
    _ name: String,
    _ help: String,
    _ kind: MetricFamily.Kind,
    _ labels: [String]
  ) -> MetricFamily {
    precondition(MetricName.isMetric(name), "'\(name)' is no name of a metric")
    precondition(
      labels.allSatisfy { MetricName.isLabel($0) && $0 != "le" },
      "'\(labels)' are no names of labels of '\(name)'"
    )
    let found = existing(name, help, kind)
    precondition(found.kind == kind, "'\(name)' is the name of another kind of metric")
    return found
  }

  /// The family of that name, made of that kind if there is none.
  func existing(_ name: String, _ help: String, _ kind: MetricFamily.Kind) -> MetricFamily {
    state.withLock { state in
      if let family = state.families[name] { return family }
      let family = MetricFamily(name: name, help: help, kind: kind)
      state.families[name] = family
      return family
    }
  }
}

extension MetricsRegistry {
  /// A metric that only grows.
  public struct Counter: Sendable {
    let family: MetricFamily
    let labels: [String]

    /// Adds to it.
    ///
    /// - Parameters:
    ///   - amount: What is added; nothing, if it is negative or no number.
    ///   - values: The labels' values, in the order of the labels.
    public func add(_ amount: Double = 1, _ values: [String] = []) {
      family.add(amount, MetricLabel.pairs(labels, values))
    }
  }

  /// A metric that goes up and down.
  public struct Gauge: Sendable {
    let family: MetricFamily
    let labels: [String]

    /// Sets it; `values` are the labels', in the order of the labels.
    public func set(_ value: Double, _ values: [String] = []) {
      family.set(value, MetricLabel.pairs(labels, values))
    }

    /// Adds to it, or takes from it; `values` are the labels', in the order of the labels.
    public func add(_ amount: Double, _ values: [String] = []) {
      family.change(by: amount, MetricLabel.pairs(labels, values))
    }

    /// Sets it for these values of its one label, and forgets all others.
    public func replace(with values: [String: Double]) {
      family.replace(
        with: values.map { (MetricLabel.pairs(labels, [$0.key]), $0.value) }
      )
    }
  }

  /// A metric that tells how values are distributed.
  public struct Histogram: Sendable {
    let family: MetricFamily
    let labels: [String]

    /// Counts a value; `values` are the labels', in the order of the labels.
    public func observe(_ value: Double, _ values: [String] = []) {
      family.observe(value, MetricLabel.pairs(labels, values))
    }
  }
}
