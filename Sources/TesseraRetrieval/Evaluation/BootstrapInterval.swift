public import TesseraCore

/// How sure a mean over languages and things is: both are drawn again and again, with replacement, and the mean taken anew (Efron and
/// Tibshirani, 1993, chapter 13).
public struct BootstrapInterval: Sendable, Hashable, Codable {
  /// The mean over languages of each one's mean over things.
  public var mean: Double
  /// Where 95 % of the means of redrawn languages and things lie.
  public var interval: ClosedRange<Double>

  /// A mean, and how sure it is; `nil` if there is nothing.
  ///
  /// - Parameters:
  ///   - values: By language, and by thing, what a system achieves; not every language needs every thing.
  ///   - draws: How often languages and things are drawn.
  ///   - key: What the draws derive from.
  public init?(of values: [String: [Int: Double]], draws: Int = 2_000, key: RandomKey) {
    let subjects = Set(values.values.flatMap(\.keys)).sorted()
    let places = Dictionary(uniqueKeysWithValues: subjects.enumerated().map { ($1, $0) })
    // Each language's values with their things' places.
    let languages = values.sorted { $0.key < $1.key }.compactMap { _, own in
      let placed = own.sorted { $0.key < $1.key }.compactMap { subject, value in
        places[subject].map { (place: $0, value: value) }
      }
      return placed.isEmpty ? nil : placed
    }
    guard !languages.isEmpty, draws > 0 else { return nil }
    func mean(_ drawn: [Int], _ counts: [Int]) -> Double? {
      var total = 0.0
      var used = 0
      for language in drawn {
        var sum = 0.0
        var count = 0
        for (place, value) in languages[language] where counts[place] > 0 {
          sum += value * Double(counts[place])
          count += counts[place]
        }
        if count > 0 {
          total += sum / Double(count)
          used += 1
        }
      }
      return used > 0 ? total / Double(used) : nil
    }
    let all = Array(languages.indices)
    self.mean = mean(all, [Int](repeating: 1, count: subjects.count)) ?? 0
    var numbers = KeyedRandomNumbers(key: key["bootstrap"])
    var drawn: [Double] = []
    for _ in 0..<draws {
      var counts = [Int](repeating: 0, count: subjects.count)
      for _ in subjects { counts[Int.random(in: subjects.indices, using: &numbers)] += 1 }
      let again = all.map { _ in Int.random(in: all.indices, using: &numbers) }
      if let value = mean(again, counts) { drawn.append(value) }
    }
    drawn.sort()
    let tail = Int(Double(drawn.count) * 0.025)
    let low = drawn.isEmpty ? self.mean : drawn[tail]
    let high = drawn.isEmpty ? self.mean : drawn[drawn.count - 1 - tail]
    interval = low...high
  }
}
