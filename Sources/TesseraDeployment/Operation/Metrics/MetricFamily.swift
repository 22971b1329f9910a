internal import Synchronization

/// All values of a metric: one for each combination of labels.
final class MetricFamily: Sendable {
  enum Kind: Sendable, Hashable {
    case counter, gauge
    /// With the upper bounds of its buckets, without infinity.
    case histogram([Double])
  }

  private struct Distribution {
    /// How many values are in each bucket alone; the last is for what is larger than all bounds.
    var counts: [Int]
    var sum = 0.0
  }

  private struct State {
    var values: [[MetricLabel]: Double] = [:]
    var distributions: [[MetricLabel]: Distribution] = [:]

    /// Whether one more combination has room, or is there.
    func hasRoom(for labels: [MetricLabel]) -> Bool {
      values[labels] != nil || distributions[labels] != nil
        || values.count + distributions.count < MetricsRegistry.mostSeries
    }
  }

  let name: String
  let help: String
  let kind: Kind
  private let state = Mutex(State())

  init(name: String, help: String, kind: Kind) {
    self.name = name
    self.help = help
    self.kind = kind
  }

  func add(_ amount: Double, _ labels: [MetricLabel]) {
    guard amount >= 0, amount.isFinite else { return }
    change(by: amount, labels)
  }

  func change(by amount: Double, _ labels: [MetricLabel]) {
    state.withLock { state in
      if state.hasRoom(for: labels) { state.values[labels, default: 0] += amount }
    }
  }

  func set(_ value: Double, _ labels: [MetricLabel]) {
    state.withLock { state in
      if state.hasRoom(for: labels) { state.values[labels] = value }
    }
  }

  func replace(with values: [(labels: [MetricLabel], value: Double)]) {
    state.withLock { state in
      state.values = [:]
      for (labels, value) in values where state.hasRoom(for: labels) {
        state.values[labels] = value
      }
    }
  }

  func observe(_ value: Double, _ labels: [MetricLabel]) {
    guard case .histogram(let bounds) = kind, !value.isNaN else { return }
    let bucket = bounds.firstIndex { value <= $0 } ?? bounds.count
    state.withLock { state in
      guard state.hasRoom(for: labels) else { return }
      var distribution =
        state.distributions[labels]
        ?? Distribution(counts: Array(repeating: 0, count: bounds.count + 1))
      distribution.counts[bucket] += 1
      distribution.sum += value
      state.distributions[labels] = distribution
    }
  }

  func remove(_ labels: [MetricLabel]) {
    state.withLock { state in
      state.values[labels] = nil
      state.distributions[labels] = nil
    }
  }

  func forget(_ label: MetricLabel) {
    state.withLock { state in
      state.values = state.values.filter { !$0.key.contains(label) }
      state.distributions = state.distributions.filter { !$0.key.contains(label) }
    }
  }

  /// Writes the metric in Prometheus' text format; nothing if it has no values.
  func write(to text: inout String) {
    let (values, distributions) = state.withLock { ($0.values, $0.distributions) }
    if values.isEmpty, distributions.isEmpty { return }
    text += "# HELP \(name) \(MetricText.escaped(help, quotes: false))\n"
    switch kind {
    case .counter: text += "# TYPE \(name) counter\n"
    case .gauge: text += "# TYPE \(name) gauge\n"
    case .histogram: text += "# TYPE \(name) histogram\n"
    }
    for (labels, value) in values.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
      MetricText.write(name, labels, value, to: &text)
    }
    guard case .histogram(let bounds) = kind else { return }
    for (labels, distribution) in distributions.sorted(by: {
      $0.key.lexicographicallyPrecedes($1.key)
    }) {
      var count = 0
      for (bound, more) in zip(bounds + [.infinity], distribution.counts) {
        count += more
        let bucket = labels + [MetricLabel(name: "le", value: MetricText.number(bound))]
        MetricText.write("\(name)_bucket", bucket, Double(count), to: &text)
      }
      MetricText.write("\(name)_sum", labels, distribution.sum, to: &text)
      MetricText.write("\(name)_count", labels, Double(count), to: &text)
    }
  }
}

/// A label of a metric, with its value.
struct MetricLabel: Sendable, Hashable, Comparable {
  var name: String
  var value: String

  static func < (a: Self, b: Self) -> Bool { (a.name, a.value) < (b.name, b.value) }

  static func pairs(_ names: [String], _ values: [String]) -> [MetricLabel] {
    precondition(names.count == values.count, "\(names) need a value each, not \(values.count)")
    return zip(names, values).map { MetricLabel(name: $0, value: $1) }
  }
}
